// References: what parses must print as itself and parse again to the same.
#include "oci/reference.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto reference = berth::oci::Reference::parse({reinterpret_cast<const char*>(data), size});
  if (!reference) return 0;
  auto again = berth::oci::Reference::parse(reference->canonical());
  if (!again || *again != *reference) std::abort();
  // 64 hex digits are an id, whatever they name in full: only the canonical form is bound to parse.
  auto familiar = berth::oci::Reference::parse(reference->familiar());
  if (familiar && *familiar != *reference) std::abort();
  return 0;
}
