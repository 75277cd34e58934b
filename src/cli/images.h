// Rows of images, which `images` and `system df` share.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "cli/output.h"

namespace berth::cli {

struct NamedImage {
  std::string repository = "<none>", tag = "<none>", digest = "<none>";
};
// One for each tag, and one for each digest of a repository that has no tag here; at least one.
std::vector<NamedImage> names_of_image(const json::Value& image, bool with_digests);

json::Object image_row(const json::Value& image, const NamedImage& name, bool no_trunc);
std::vector<Listing::Column> image_columns();

}  // namespace berth::cli
