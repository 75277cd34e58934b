// The image configuration: what an image is made of and how its containers start (OCI image specification, config.md;
// Docker's image JSON is the same with a few more members). Pure data, parse and print.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/time.h"
#include "oci/digest.h"

namespace berth::oci {

// The member "config": the defaults of the image's containers. Absent lists and maps are empty.
struct ContainerDefaults {
  std::string user;                                    // "user", "uid", "user:group", "uid:gid"
  std::vector<std::string> env;                        // "K=V"
  std::optional<std::vector<std::string>> entrypoint;  // absent is not the same as empty
  std::optional<std::vector<std::string>> cmd;
  std::string working_dir;
  std::vector<std::string> exposed_ports;  // "80/tcp", sorted
  std::vector<std::string> volumes;        // paths in the container, sorted
  std::map<std::string, std::string> labels;
  std::string stop_signal;                        // "SIGTERM", "15"; empty: none said
  std::optional<std::vector<std::string>> shell;  // for the builder's RUN
  std::vector<std::string> on_build;
  std::optional<json::Value> healthcheck;  // Docker's object, untouched: {"Test": [...], "Interval": ns, ...}
};

struct History {
  Time created;
  std::string created_by;
  std::string author;
  std::string comment;
  bool empty_layer = false;
};

struct ImageConfig {
  Time created;
  std::string author;
  std::string architecture;  // GOARCH: "amd64", "arm64"
  std::string variant;       // "v8"
  std::string os;            // "linux"
  ContainerDefaults config;
  std::vector<Digest> diff_ids;  // of the uncompressed layers, base first
  std::vector<History> history;
};

// Of bytes from outside: at most 4 MiB, members of a wrong type and diff ids that are no sha256 are `invalid`.
Result<ImageConfig> parse_image_config(std::string_view text);
// The JSON whose sha256 is the id of a new image. Deterministic.
std::string print_image_config(const ImageConfig& config);
// The member "config" alone, in Docker's names: what image inspect shows as Config.
json::Value print_container_defaults(const ContainerDefaults& defaults);
// The same from such a value: `commit` and `import --change` bodies, container create requests.
Result<ContainerDefaults> parse_container_defaults(const json::Value& value);

// What this machine runs, in GOARCH names: "amd64" and "", "arm64" and "v8", ...
struct Platform {
  std::string os = "linux";
  std::string architecture;
  std::string variant;
  friend bool operator==(const Platform&, const Platform&) = default;
};
Platform host_platform();
// "linux/amd64", "linux/arm64/v8". `invalid` when it is nothing of that shape.
Result<Platform> parse_platform(std::string_view text);
std::string print_platform(const Platform& platform);

}  // namespace berth::oci
