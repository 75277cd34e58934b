#include "network/spec.h"

#include "base/text.h"

namespace berth::network {

std::optional<bool> parse_truth(std::string_view text) {
  std::string lower = to_lower(text);
  if (lower == "1" || lower == "t" || lower == "true") return true;
  if (lower == "0" || lower == "f" || lower == "false") return false;
  return {};
}

std::string Network::option(const char* key) const {
  auto found = options.find(key);
  return found == options.end() ? "" : found->second;
}

bool Network::option_truth(const char* key, bool fallback) const { return parse_truth(option(key)).value_or(fallback); }

int Network::mtu() const { return parse_number<int>(option(kOptionMtu)).value_or(0); }

}  // namespace berth::network
