// The records of networks and endpoints on disk: networks/ID.json and endpoints/ID.json, one file each, replaced
// atomically. A network survives a power cut; an endpoint need not, since its container does not either.
// Thread: the loop's; a write takes some 50 us.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "network/spec.h"

namespace berth::network {

class Store {
 public:
  // Makes the directories.
  static Result<Store> open(std::string directory);

  // Records that cannot be read are logged and left out; those of endpoints are removed as well, for nothing else would
  // ever claim them.
  Result<std::vector<Network>> load_networks() const;
  Result<std::vector<Endpoint>> load_endpoints() const;

  Result<void> save(const Network& network) const;
  Result<void> save(const Endpoint& endpoint) const;
  Result<void> remove(const Network& network) const;
  Result<void> remove(const Endpoint& endpoint) const;

 private:
  explicit Store(std::string directory) : directory_(std::move(directory)) {}
  std::string path_of(const Network& network) const;
  std::string path_of(const Endpoint& endpoint) const;

  std::string directory_;
};

}  // namespace berth::network
