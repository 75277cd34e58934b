// The nftables tables of one engine: `inet TABLE` (what may go where, published ports, NAT) and `bridge TABLE` (no
// container of an isolated network sends in another's name). docs/design/network.md explains the rules.
//
// The chains are static; networks, containers and ports are elements of sets and maps, so that a change is one small
// nfnetlink transaction that takes effect whole or not at all. Thread: any; the kernel orders transactions.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "network/network.h"
#include "network/spec.h"
#include "sys/netlink.h"

namespace berth::network {

// One element of a set or map. A part of its key or value in the two forms that it is needed in: bytes for the kernel,
// padded to 4, and nft(8)'s text.
struct Element {
  struct Part {
    std::string bytes;
    std::string text;
    std::string end = {};  // of a range: the bytes of its last value
  };
  enum class Family { inet, bridge };
  Family family = Family::inet;
  std::string set;
  std::vector<Part> key;
  std::vector<Part> value;  // of maps
};

std::vector<Element> elements_of(const Network& network, const std::vector<HostService>& services);
std::vector<Element> elements_of(const Network& network, const Endpoint& endpoint);

// Changes the tables of one engine. It keeps its socket, because closing one waits until the kernel has freed what was
// removed through it, which takes up to 20 ms. Thread: any; one transaction at a time.
class Firewall {
 public:
  static Result<std::shared_ptr<Firewall>> open(std::string table);

  // Adding what is there already and removing what is not are fine. About 50 us.
  Result<void> add(const std::vector<Element>& elements);
  Result<void> remove(const std::vector<Element>& elements);
  // Puts both tables in place with exactly these elements; tables of the same name are replaced in the same
  // transaction, so there is no moment without rules. Some ms: for the start of the engine.
  Result<void> install(const std::vector<Element>& elements);

 private:
  Firewall(std::string table, sys::NetlinkSocket socket) : table_(std::move(table)), socket_(std::move(socket)) {}
  Result<void> change(int message, std::span<const Element> elements);

  std::string table_;
  std::mutex mutex_;
  sys::NetlinkSocket socket_;
};

// Absent ones are fine.
Result<void> remove_tables(const std::string& table);

// What install() gives to nft(8)'s library.
std::string ruleset_text(const std::string& table, const std::vector<Element>& elements);

// Runs commands in nft(8)'s language, as one transaction. Some ms: for the start of the engine.
Result<void> run_nft(const std::string& commands, const std::string& intent);

}  // namespace berth::network
