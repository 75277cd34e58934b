// Fetching a file of the web: build contexts, ADD of a URL, imports.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/time.h"

namespace berth::image {

struct Download {
  std::uint64_t bytes = 0;
  Time modified;  // Last-Modified; unset when the server does not say
};

// GET of an http or https URL, redirects followed, into a descriptor. Any status but 200 is an error; more than limit
// bytes are `exhausted`. stop, when set, ends it as `cancelled`. Blocks.
Result<Download> download(const std::string& url, int to, std::uint64_t limit, std::shared_ptr<std::atomic<bool>> stop);

}  // namespace berth::image
