// The `platform` parameter of pull, import and create.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "http/exchange.h"
#include "image/store.h"
#include "oci/image_config.h"

namespace berth::docker {

// Nothing when none was asked for. Windows is refused in one sentence: this engine cannot ever run it.
Result<std::optional<oci::Platform>> platform_of(const http::Exchange& exchange);

// Docker's not_found when the image is for another platform than was asked for.
Result<void> check_platform(const image::Image& image, const oci::Platform& wanted, std::string_view name);

// What create answers as warnings about the image's platform: that it is another than the host's although none was
// asked for, in Docker's words, and what to install when this host cannot run it.
std::vector<std::string> platform_warnings(const image::Image& image, bool asked_for);

}  // namespace berth::docker
