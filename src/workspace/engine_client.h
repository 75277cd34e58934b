// The portal's view of its engine: the few calls of the Docker Engine API that workspaces need, over the engine's
// restricted socket.
//
// Thread: the loop's. An engine that does not answer is engine_away; other failures carry the engine's own text.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "http/async_client.h"
#include "workspace/spec.h"

namespace berth::workspace {

// Of GET /containers/{id}/json and /containers/json, what workspaces need.
struct ContainerView {
  std::string state;  // created, running, paused, exited, ...
  std::string image;
  Labels labels;
  Time created;
  // Of its activations; absent when it has none.
  std::optional<int> connections;
  Time last_used;  // not set: never
};

class EngineClient {
 public:
  EngineClient(async::Loop& loop, http::Endpoint endpoint);

  async::Task<Outcome<>> ping();
  // All containers with the label, running or not.
  async::Task<Outcome<std::vector<ContainerView>>> list(std::string label);
  // Nothing when there is no such container.
  async::Task<Outcome<std::optional<ContainerView>>> inspect(std::string name);
  // unknown_image when the engine has no such image.
  async::Task<Outcome<>> create(std::string name, json::Value body);
  // Running already or stopped already is fine.
  async::Task<Outcome<>> start(std::string name);
  async::Task<Outcome<>> stop(std::string name);
  // Kills it when it runs. False when there was none.
  async::Task<Outcome<bool>> remove(std::string name);

  // The day on which the image was built, YYYY-MM-DD; empty when there is no such image.
  async::Task<Outcome<std::string>> image_date(std::string image);

  // The labels of a volume; nothing when there is none.
  async::Task<Outcome<std::optional<Labels>>> inspect_volume(std::string name);
  async::Task<Outcome<>> create_volume(std::string name, Labels labels);
  // False when there was none.
  async::Task<Outcome<bool>> remove_volume(std::string name);

 private:
  struct Answer {
    int status = 0;
    json::Value body;
    std::string message;  // of an error answer

    bool good() const { return status < 400; }
  };
  async::Task<Outcome<Answer>> call(std::string method, std::string target, std::optional<json::Value> body = {});

  std::string where_;
  http::AsyncClient client_;
};

}  // namespace berth::workspace
