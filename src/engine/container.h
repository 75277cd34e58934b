// A container: its spec, its status, and the operations on it, which run in the order in which they were asked.
//
// Thread: the loop's. Held by shared_ptr; after removal it answers not_found to everything.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "async/event.h"
#include "async/task_group.h"
#include "engine/cgroup.h"
#include "engine/process_table.h"
#include "engine/restart.h"
#include "engine/spec.h"
#include "engine/status.h"
#include "fs/root_dir.h"
#include "network/spec.h"
#include "sys/process.h"
#include "sys/unique_fd.h"

namespace berth::engine {

class Engine;
class Exec;
class ShimClient;
struct ShimMessage;
class Activations;
class HealthMonitor;

struct AttachOptions {
  bool stdin_ = false;
  bool stdout_ = true;
  bool stderr_ = true;
  bool plain = false;       // never framed
  std::string detach_keys;  // bytes that end the attachment when they are typed at a terminal; empty: ctrl-p ctrl-q
};

enum class WaitCondition { not_running, next_exit, removed };
struct WaitResult {
  int exit_code = 0;
  std::string error;
};

class Container : public std::enable_shared_from_this<Container> {
 public:
  Container(Engine& engine, ContainerSpec spec, ContainerStatus status);
  ~Container();

  const std::string& id() const { return spec_.id; }
  const ContainerSpec& spec() const { return spec_; }
  const ContainerStatus& status() const { return status_; }
  // Whether its process is there.
  bool running() const { return status_.state == State::running || status_.state == State::paused; }
  // What Docker calls running: its process is there, or will be again without anybody asking.
  bool active() const { return running() || status_.state == State::restarting; }
  // How long a SIGKILL may take.
  static constexpr std::chrono::seconds kKillWait{15};

  bool removed() const { return removed_; }

  // not_modified when it runs already. A program that cannot be run is `invalid` with the runtime's reason in Docker's
  // words.
  async::Task<Result<void>> start();
  // The stop signal, then after the timeout SIGKILL to all; returns when it is gone. not_modified when it does not run.
  // timeout: seconds, -1 is for ever; absent: the container's.
  async::Task<Result<void>> stop(std::optional<int> timeout, std::string signal = "");
  async::Task<Result<void>> restart(std::optional<int> timeout, std::string signal = "");
  // "cannot kill container: X: container ID is not running". SIGKILL returns when it has
  // ended, as Docker's; a paused one ends once it is continued, and is not waited for.
  async::Task<Result<void>> kill(std::string signal, std::string as_asked);
  async::Task<Result<void>> pause();
  async::Task<Result<void>> unpause();
  // The limits of a running one change at once. invalid for what cannot be.
  async::Task<Result<void>> update(UpdateRequest request);
  // Each end of a run that restarts by its policy counts as an exit. cancelled when the caller's task was.
  async::Task<Result<WaitResult>> wait(WaitCondition condition);

  // Hands the stream (a connected socket) to the container: its output is copied there, framed unless it has a tty, and
  // what comes from there goes to its stdin. already_read is what the caller has read from the stream already. Also
  // before start: then from the first byte on. The engine is not in the data path; the shim closes the stream.
  async::Task<Result<void>> attach(sys::UniqueFd stream, std::string already_read, AttachOptions options);
  async::Task<Result<void>> resize(int rows, int columns);

  // Like `ps` with these arguments, of the container's processes; pids are the host's. Empty: -ef.
  async::Task<Result<ProcessTable>> top(std::string ps_arguments);
  Result<CgroupStats> stats() const;

  // What the container sees at a path, from the host, running or not. Opening a stopped one for writing makes it busy
  // until the RootHandle goes; ids are mapped to the plain ones inside by the caller's choice of running or stopped
  // view. Of one that does not run, a path below a volume or a bind mount leads into that, though the mount is not
  // made.
  struct RootHandle {
    sys::UniqueFd root;          // a directory; use with fs::RootDir
    std::string path;            // where the path asked for is below root
    std::uint32_t id_shift = 0;  // running in a user namespace: inside id + shift = id seen here
    async::Mutex::Lock hold;     // keeps it from starting meanwhile
  };
  async::Task<Result<RootHandle>> open_root(std::string path, bool writable);

  // The json-file log; rotated files are PATH.1, PATH.2.
  std::string log_path() const;
  // Woken when the container exits or is removed; log followers end then.
  async::Notifier& changes() { return changes_; }

  // Puts it on a further network, at once when it runs. denied, in Docker's words, when it cannot be there.
  async::Task<Result<void>> connect(AttachmentSpec wanted);
  // Takes it off a network, by name or id.
  async::Task<Result<void>> disconnect(std::string network);
  // Its places in networks while it runs, in the order of its interfaces.
  std::vector<network::Endpoint> endpoints() const;

  // Connections open now through each activation, in the order of the spec.
  std::vector<int> active_connections() const;

  // What of it is on disk: the upper layer's directory, holding diff/ and work/, over the image's layers, base first.
  std::string upper_dir() const;
  std::vector<std::string> layers() const;

 private:
  friend class Engine;
  friend class Exec;
  friend class Activations;
  friend class HealthMonitor;

  // The mount of the spec that a path lies in, or nullptr; then the path becomes the one below it. Symlinks of the
  // image are not followed.
  const MountSpec* mount_over(std::string& path) const;
  // What is mounted there; no descriptor where that is no directory: a tmpfs, a file, or a bind's missing source.
  Result<sys::UniqueFd> open_mount(const MountSpec& mount) const;
  async::Task<Result<void>> start_locked();
  async::Task<Result<void>> start_afresh();
  async::Task<Result<void>> launch();
  async::Task<Result<void>> stop_locked(std::optional<int> timeout, std::string signal);
  // fields: how the shim connects its stdio. One of "relay" and "direct" (docs/design/shim.md).
  async::Task<Result<void>> start_exec(std::shared_ptr<Exec> exec, std::vector<sys::UniqueFd> fds,
                                       std::vector<std::pair<std::string, std::string>> fields);
  async::Task<Result<void>> signal_processes(int number);
  async::Task<> finish(int exit_code, Time time);
  async::Task<> restart_after(std::chrono::nanoseconds wait, std::uint64_t run);
  void note_ask_to_end(int signal);
  void give_up_restarting();
  async::Task<> bring_up();
  void run_ends();
  async::Task<> lost(std::string reason);
  async::Task<> release_resources();
  async::Task<> watch_shim(std::shared_ptr<ShimClient> shim, std::shared_ptr<sys::UniqueFd> netns,
                           std::shared_ptr<async::Event> netns_came);
  async::Task<> request_start(std::shared_ptr<ShimClient> shim,
                              std::shared_ptr<std::optional<Result<ShimMessage>>> answer,
                              std::shared_ptr<async::Event> answered, std::shared_ptr<async::Event> netns_came);
  async::Task<Result<void>> attach_networks(sys::UniqueFd netns);
  async::Task<Result<void>> attach_network(AttachmentSpec attachment, bool with_ports, int netns);
  async::Task<Result<void>> connect_running(AttachmentSpec wanted);
  async::Task<Result<void>> serve_names(int netns, bool again);
  async::Task<> serve_names_beside(int netns, std::shared_ptr<Result<void>> result, std::shared_ptr<async::Event> done);
  Result<network::EndpointSpec> endpoint_spec(const AttachmentSpec& attachment, bool with_ports) const;
  Result<void> add_ports(network::EndpointSpec& endpoint) const;
  Result<void> check_attachment(const AttachmentSpec& wanted, const network::Network& network) const;
  AttachmentSpec* find_attachment(const std::string& network);
  bool has_resolver() const;
  void publish_network(std::string action, const network::Endpoint& endpoint);
  void rename_endpoints();
  async::Task<> restore_networks();
  async::Task<> shim_gone();
  async::Task<bool> wait_until_ended(std::chrono::nanoseconds limit);
  async::Task<> signal_when_readable(sys::UniqueFd fd, std::shared_ptr<async::Event> event);
  std::vector<std::shared_ptr<Exec>> execs_running() const;
  void exec_ended(const std::string& exec_id, int code);
  Result<void> save_spec() const;
  Result<void> save_status() const;
  Result<void> change(Change change);
  Cgroup cgroup() const;
  async::Task<Result<void>> hand_over_attaches(std::shared_ptr<ShimClient> shim);
  void publish(std::string action, std::map<std::string, std::string> more = {});
  async::Task<Result<void>> recover();
  async::Task<bool> adopt_shim();
  void adopt_exec(const std::string& description);

  Engine& engine_;
  ContainerSpec spec_;
  ContainerStatus status_;
  bool removed_ = false;
  async::Mutex queue_;
  async::Notifier changes_;
  std::shared_ptr<ShimClient> shim_;
  struct PendingAttach {
    sys::UniqueFd stream;
    std::string already_read;
    AttachOptions options;
  };
  std::vector<PendingAttach> pending_attaches_;
  std::uint64_t runs_ = 0;                           // how often it has exited since the engine knows it
  bool finishing_ = false;                           // its run has ended and its remains are being taken away
  std::optional<std::pair<int, Time>> ended_early_;  // the exit came before the answer to the start
  std::map<std::string, std::shared_ptr<Exec>> running_execs_;  // by id
  std::unique_ptr<Activations> activations_;
  std::unique_ptr<HealthMonitor> health_;
  RestartRule restarts_;
  async::Notifier restart_given_up_;
  async::TaskGroup tasks_;
};

}  // namespace berth::engine
