// The context of a build: a directory as the tar stream that POST /build takes.
#pragma once

#include <functional>
#include <string>

#include "base/error.h"
#include "http/client.h"

namespace berth::cli {

struct BuildContext {
  std::string directory;
  std::string dockerfile = "Dockerfile";  // relative to the directory, or absolute
  std::string inline_dockerfile;          // instead of a file
};

// Whether the engine fetches it itself: a URL.
bool is_remote_context(const std::string& context);

// The Dockerfile's name in the archive. One that stands elsewhere, or nowhere, is added under a name of its own.
std::string dockerfile_in_context(const BuildContext& context);

// Packs what .dockerignore does not exclude, while send reads it. `not_found` when there is no directory or Dockerfile.
Result<void> with_build_context(const BuildContext& context,
                                const std::function<Result<void>(const http::BodySource&)>& send);

}  // namespace berth::cli
