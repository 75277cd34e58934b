// Docker's configuration of a person: $DOCKER_CONFIG or ~/.docker, with config.json (logins, the current context) and
// contexts/ in it. Berth reads and writes the same files, so that both clients know the same logins and contexts.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace berth::cli {

std::string config_directory();
// config.json; empty when there is none.
Result<json::Object> read_config();
Result<void> write_config(const json::Object& config);

// A named engine, as `docker context create` keeps it.
struct StoredContext {
  std::string name;
  std::string host;
  std::string tls_directory;  // with ca.pem, cert.pem and key.pem; empty: no TLS
  std::string metadata_path;
  json::Value metadata;  // Docker's {"Name", "Metadata", "Endpoints"}
};

// By name; without the one called "default", which stands for flags and environment.
Result<std::vector<StoredContext>> stored_contexts();
// not_found with Docker's text.
Result<StoredContext> find_context(const std::string& name);

}  // namespace berth::cli
