// Where the engine keeps what. state: survives reboots; run: a tmpfs, gone with the machine's run.
#pragma once

#include <string>
#include <string_view>

namespace berth::engine {

class Paths {
 public:
  Paths(std::string state_dir, std::string run_dir) : state_(std::move(state_dir)), run_(std::move(run_dir)) {}

  std::string containers() const { return state_ + "/containers"; }
  // Of one container: spec.json, status.json, layer/{diff,work}, files/{hosts,hostname,resolv.conf}, log, exit.
  std::string container(std::string_view id) const { return containers() + "/" + std::string(id); }
  std::string spec(std::string_view id) const { return container(id) + "/spec.json"; }
  std::string status(std::string_view id) const { return container(id) + "/status.json"; }
  std::string upper(std::string_view id) const { return container(id) + "/layer"; }
  std::string files(std::string_view id) const { return container(id) + "/files"; }
  std::string log(std::string_view id) const { return container(id) + "/json.log"; }
  std::string exit_dir(std::string_view id) const { return container(id) + "/exit"; }
  std::string exit_file(std::string_view id) const { return exit_dir(id) + "/status"; }

  std::string runs() const { return run_ + "/containers"; }
  // Of one running container: shim.conf, shim.sock, bundle/{config.template.json,config.json,rootfs,mounts}.
  std::string run(std::string_view id) const { return runs() + "/" + std::string(id); }
  std::string bundle(std::string_view id) const { return run(id) + "/bundle"; }
  std::string shim_conf(std::string_view id) const { return run(id) + "/shim.conf"; }
  std::string shim_socket(std::string_view id) const { return run(id) + "/shim.sock"; }
  // The OCI runtime's --root.
  std::string runtime_root() const { return run_ + "/runtime"; }
  std::string lock() const { return run_ + "/engine.lock"; }

 private:
  std::string state_;
  std::string run_;
};

}  // namespace berth::engine
