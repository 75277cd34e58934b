// Public keys as pasted: what is accepted must come out as the very lines that sshd may read, one key each.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "workspace/key.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace berth::workspace;
  auto keys = parse_keys(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!keys) return 0;
  std::string text = print_keys(*keys);
  if (std::ranges::count(text, '\n') != static_cast<std::ptrdiff_t>(keys->size())) std::abort();
  auto again = parse_keys(text);
  if (!again || *again != *keys) std::abort();
  for (const PublicKey& key : *keys)
    if (!text.starts_with("ssh-") && !text.starts_with("ecdsa-") && !text.starts_with("sk-")) std::abort();
  return 0;
}
