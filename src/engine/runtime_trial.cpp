#include "engine/runtime_trial.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "async/task_group.h"
#include "base/text.h"
#include "engine/cgroup.h"
#include "engine/id_ranges.h"
#include "engine/runtime_config.h"
#include "engine/shim_client.h"
#include "fs/tree.h"
#include "sys/file.h"

namespace berth::engine {

namespace {

constexpr std::chrono::seconds kPatience{10};

Result<void> copy_program(const std::string& from, const std::string& to) {
  TRY(sys::UniqueFd source, sys::open_file(from, O_RDONLY));
  TRY(sys::UniqueFd target, sys::open_file(to, O_WRONLY | O_CREAT | O_EXCL, 0755));
  while (true) {
    ssize_t copied = ::sendfile(target.get(), source.get(), nullptr, 1 << 20);
    if (copied < 0) return fail_errno("copy " + from);
    if (copied == 0) return {};
  }
}

Result<std::string> make_files(const Runtime& runtime, const TrialPlace& place, const ContainerSpec& spec,
                               const std::string& layer) {
  std::string run = place.paths.run(spec.id), bundle = place.paths.bundle(spec.id);
  for (const std::string& directory :
       {run, bundle, bundle + "/mounts", bundle + "/rootfs", layer, layer + "/diff", layer + "/work", layer + "/lower"})
    TRY_OK(sys::ensure_directories(directory, 0755));
  TRY_OK(copy_program(place.shim, layer + "/lower/trial"));
  RuntimeInputs inputs;
  inputs.args = spec.process.args;
  inputs.rootfs = bundle + "/rootfs";
  inputs.cgroup_path = place.cgroup_parent + "/" + spec.id;
  TRY(json::Value config, runtime_config(spec, inputs));
  TRY_OK(sys::replace_file(bundle + "/config.template.json", json::print(config), 0600));
  ShimFields fields{{"id", spec.id},
                    {"runtime", runtime.path},
                    {"runtime_root", place.paths.runtime_root()},
                    {"bundle", bundle},
                    {"pid_file", run + "/pid"},
                    {"tty", "0"},
                    {"open_stdin", "0"},
                    {"stdin_once", "0"},
                    {"log_driver", "none"},
                    {"exit_file", run + "/exit"},
                    {"control_socket", place.paths.shim_socket(spec.id)},
                    {"netns", "private"},
                    {"mounts_dir", bundle + "/mounts"},
                    {"rootfs", bundle + "/rootfs"},
                    {"userns_base", std::to_string(spec.userns_base)},
                    {"userns_size", std::to_string(spec.userns_size)},
                    {"lower", layer + "/lower"},
                    {"upper_dir", layer}};
  for (const std::string& path : runtime.hide) fields.emplace_back("hide", path);
  TRY_OK(sys::replace_file(place.paths.shim_conf(spec.id), encode_shim_fields(fields), 0600));
  return place.paths.shim_conf(spec.id);
}

struct Trial {
  explicit Trial(async::Loop& loop) : netns(loop), ended(loop) {}
  async::Event netns;
  async::Event ended;
  bool ran = false;
};

async::Task<> watch(std::shared_ptr<ShimClient> shim, std::shared_ptr<Trial> trial) {
  co_await shim->run([trial](ShimMessage event) {
    if (event.verb == "netns") trial->netns.set();
    // With what status the program ended does not matter: it was run.
    if (event.verb == "exit") trial->ran = true;
  });
  trial->netns.set();
  trial->ended.set();
}

async::Task<> request_network_ready(std::shared_ptr<ShimClient> shim, std::shared_ptr<Trial> trial) {
  co_await trial->netns.wait();
  ShimFields none;
  (void)co_await shim->request("network-ready", std::move(none));
}

async::Task<Result<void>> run_trial(async::Loop& loop, std::string program, std::string conf, Runtime runtime) {
  CO_TRY(std::shared_ptr<ShimClient> shim, ShimClient::spawn(loop, program, conf, runtime));
  auto trial = std::make_shared<Trial>(loop);
  async::TaskGroup tasks(loop);
  tasks.spawn("runtime trial", watch(shim, trial));
  tasks.spawn("runtime trial's network", request_network_ready(shim, trial));
  ShimFields none;
  auto started = co_await shim->request("start", std::move(none));
  bool ended = co_await trial->ended.wait_for(kPatience);
  if (!ended) (void)shim->process().signal(SIGKILL);
  co_await tasks.join();
  if (!started) co_return std::unexpected(std::move(started).error());
  if (!trial->ran) co_return fail(ErrorCode::timeout, "the trial container did not end");
  co_return Result<void>();
}

}  // namespace

async::Task<Result<void>> try_runtime(async::Loop& loop, Runtime runtime, TrialPlace place) {
  ContainerSpec spec;
  spec.id = random_hex(32);
  spec.network = "none";
  spec.hostname = "trial";
  spec.process.args = {"/trial"};
  spec.process.env = {"PATH=/", "HOME=/"};
  spec.userns_base = place.userns_base;
  spec.userns_size = IdRanges::kSize;
  std::string layer = place.state_dir + "/trial-" + spec.id;
  auto conf = make_files(runtime, place, spec, layer);
  Result<void> result;
  if (conf)
    result = co_await run_trial(loop, place.shim, *conf, runtime);
  else
    result = std::unexpected(std::move(conf).error());
  auto layout = CgroupLayout::detect();
  if (layout) {
    Cgroup group(*layout, place.cgroup_parent + "/" + spec.id);
    if (group.exists()) (void)group.kill_all();
    (void)group.remove();
  }
  (void)fs::remove_tree(place.paths.runtime_root() + "/" + spec.id);
  (void)fs::remove_tree(place.paths.run(spec.id));
  (void)fs::remove_tree(layer);
  co_return result;
}

}  // namespace berth::engine
