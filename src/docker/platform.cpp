#include "docker/platform.h"

namespace berth::docker {

Result<std::optional<oci::Platform>> platform_of(const http::Exchange& exchange) {
  std::string text = exchange.request.query.get("platform");
  if (text.empty()) return std::optional<oci::Platform>();
  TRY(auto platform, oci::parse_platform(text));
  if (platform.os != "linux")
    return fail(ErrorCode::invalid, "platform {} is not supported: this engine runs Linux containers only", text);
  return platform;
}

Result<void> check_platform(const image::Image& image, const oci::Platform& wanted, std::string_view name) {
  oci::Platform actual{image.config.os, image.config.architecture, image.config.variant};
  // A variant that either side leaves open fits.
  bool variant = wanted.variant.empty() || actual.variant.empty() || wanted.variant == actual.variant;
  if (wanted.os == actual.os && wanted.architecture == actual.architecture && variant) return {};
  return fail(ErrorCode::not_found,
              "image with reference {} was found but its platform ({}) does not match the specified platform ({})",
              name, oci::print_platform(actual), oci::print_platform(wanted));
}

}  // namespace berth::docker
