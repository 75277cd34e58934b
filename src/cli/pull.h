// Fetching an image, for pull and for run and create that find it missing.
#pragma once

#include <string>

#include "base/error.h"
#include "cli/engine_client.h"

namespace berth::cli {

struct PullRequest {
  std::string image;  // as written
  std::string platform;
  bool all_tags = false;
  bool quiet = false;
  int progress_fd = 1;
};

// Pulls, showing progress, and answers the canonical name ("docker.io/library/debian:bookworm").
Result<std::string> pull_image(const EngineClient& engine, const PullRequest& request);

// The X-Registry-Auth field for the registry, from the configuration file that `login` writes
// ($DOCKER_CONFIG/config.json or ~/.docker/config.json); empty when there is nothing for it.
std::string registry_auth(const std::string& domain);
// Of every registry, for X-Registry-Config; empty when there are none.
std::string all_registry_auths();

}  // namespace berth::cli
