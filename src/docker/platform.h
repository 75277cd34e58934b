// The `platform` parameter of pull, import and create.
#pragma once

#include <optional>

#include "http/exchange.h"
#include "image/store.h"
#include "oci/image_config.h"

namespace berth::docker {

// Nothing when none was asked for. Windows is refused in one sentence: this engine cannot ever run it.
Result<std::optional<oci::Platform>> platform_of(const http::Exchange& exchange);

// Docker's not_found when the image is for another platform than was asked for.
Result<void> check_platform(const image::Image& image, const oci::Platform& wanted, std::string_view name);

}  // namespace berth::docker
