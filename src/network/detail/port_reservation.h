// Holds a port of the host, so that nobody else binds it while nftables forwards what comes to it.
#pragma once

#include "network/spec.h"
#include "sys/unique_fd.h"

namespace berth::network {

// A bound socket on which nothing arrives: TCP is not listening, so without the forwarding rule a connection is
// refused; UDP drops what it gets. Thread: any.
class PortReservation {
 public:
  // Fills in port.host_port when it was 0. io "Bind for IP:PORT failed: port is already allocated"; a specific
  // address that the host does not have is an error, too.
  static Result<PortReservation> take(PublishedPort& port);

 private:
  explicit PortReservation(sys::UniqueFd socket) : socket_(std::move(socket)) {}
  sys::UniqueFd socket_;
};

}  // namespace berth::network
