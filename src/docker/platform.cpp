#include "docker/platform.h"

#include "engine/emulation.h"

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

std::vector<std::string> platform_warnings(const image::Image& image, bool asked_for) {
  oci::Platform actual{image.config.os, image.config.architecture, image.config.variant};
  if (actual.architecture.empty() || engine::runs_natively(actual.architecture)) return {};
  std::vector<std::string> warnings;
  if (!asked_for)
    warnings.push_back(
        fmt::format("The requested image's platform ({}) does not match the detected host platform ({}) and no "
                    "specific platform was requested",
                    oci::print_platform(actual), oci::print_platform(oci::host_platform())));
  if (std::string advice = engine::emulation_advice(actual.architecture); !advice.empty())
    warnings.push_back(std::move(advice));
  return warnings;
}

}  // namespace berth::docker
