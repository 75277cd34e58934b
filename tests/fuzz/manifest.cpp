// Manifests and indexes: what parses must print and parse again, and choosing a platform must not fail badly.
#include "oci/manifest.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace oci = berth::oci;
  // The first byte chooses what the registry says of the type.
  constexpr std::string_view kTypes[] = {"", oci::kOciManifest, oci::kOciIndex, oci::kDockerManifest, oci::kDockerList};
  if (size == 0) return 0;
  auto any = oci::parse_manifest({reinterpret_cast<const char*>(data) + 1, size - 1}, kTypes[data[0] % 5]);
  if (!any) return 0;
  if (auto* index = std::get_if<oci::Index>(&*any)) {
    (void)oci::choose(*index, {"linux", "amd64", ""});
    (void)oci::choose(*index, {"linux", "arm", "v7"});
    return 0;
  }
  std::string printed = oci::print_manifest(std::get<oci::Manifest>(*any));
  auto again = oci::parse_manifest(printed, "");
  if (!again || oci::print_manifest(std::get<oci::Manifest>(*again)) != printed) std::abort();
  return 0;
}
