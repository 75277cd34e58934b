// Image configurations: what parses must print, and what is printed must be a fixed point.
#include "oci/image_config.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto config = berth::oci::parse_image_config({reinterpret_cast<const char*>(data), size});
  if (!config) return 0;
  std::string printed = berth::oci::print_image_config(*config);
  auto again = berth::oci::parse_image_config(printed);
  if (!again || berth::oci::print_image_config(*again) != printed) std::abort();
  return 0;
}
