// The images of services: pulled or built when they are missing or when that is wanted.
#pragma once

#include <map>
#include <string>

#include "cli/compose_project.h"

namespace berth::cli {

struct ImageOptions {
  std::string pull;       // always, missing, never, or empty: each service's own pull_policy
  bool build = false;     // even when there is an image
  bool no_build = false;  // not even when there is none
  bool quiet = false;
};

using ImageIds = std::map<std::string, std::string, std::less<>>;  // by service

// Makes the images of the services be there; their ids.
Result<ImageIds> ensure_images(const ComposeSession& session, const Words& services, const ImageOptions& options);

struct BuildOptions {
  bool no_cache = false, pull = false, quiet = false;
  std::vector<std::string> args;  // KEY=VALUE over those of the file
  std::string memory;
};

// Builds the service's image from its context, showing the builder's words on stdout.
Result<void> build_service(const ComposeSession& session, const compose::Service& service, const BuildOptions& options);

Result<void> pull_service(const ComposeSession& session, const compose::Service& service, bool quiet);

}  // namespace berth::cli
