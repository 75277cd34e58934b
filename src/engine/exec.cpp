#include "engine/exec.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include "base/crash_point.h"
#include "base/text.h"
#include "engine/activation.h"
#include "engine/engine.h"
#include "engine/runtime_config.h"
#include "engine/runtime_errors.h"
#include "engine/shim_client.h"
#include "engine/users.h"
#include "fs/root_dir.h"
#include "sys/file.h"

namespace berth::engine {

Exec::Exec(std::shared_ptr<Container> container, std::string id, ExecSpec spec)
    : id_(std::move(id)), container_(std::move(container)), spec_(std::move(spec)) {}

void Exec::ended(int code) {
  running_ = false;
  exit_code_ = code;
}

namespace {

// The stream is the client's already, so the reason goes there, as if the program had said it.
void tell_failure(int stream, const std::string& text, bool framed) {
  std::string line = text + "\r\n", head;
  if (framed) {
    head.assign(8, '\0');
    head[0] = 1;
    for (std::size_t i = 0; i < 4; ++i) head[4 + i] = static_cast<char>(line.size() >> (24 - 8 * i));
  }
  // One short message into a socket nothing was written to yet: it fits, or the client has gone.
  (void)::send(stream, (head + line).data(), head.size() + line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace

async::Task<Result<void>> Exec::start(std::optional<sys::UniqueFd> stream, std::string already_read, bool tty) {
  auto self = shared_from_this();
  if (started_) co_return fail(ErrorCode::conflict, "Error: Exec command {} is already running", id_);
  started_ = true;
  std::vector<sys::UniqueFd> fds;
  ShimFields fields{{"stdio", "relay"}};
  sys::UniqueFd for_failure;
  if (stream) {
    for_failure.reset(::fcntl(stream->get(), F_DUPFD_CLOEXEC, 0));
    fds.push_back(std::move(*stream));
    fields.emplace_back("stdin", spec_.attach_stdin ? "1" : "0");
    fields.emplace_back("stdout", spec_.attach_stdout ? "1" : "0");
    fields.emplace_back("stderr", spec_.attach_stderr ? "1" : "0");
    fields.emplace_back("framed", tty || spec_.plain_output ? "0" : "1");
    if (!already_read.empty()) fields.emplace_back("already_read_hex", to_hex(already_read));
    fields.emplace_back("detach_keys_hex", to_hex(spec_.detach_keys.empty() ? "\x10\x11" : spec_.detach_keys));
  }
  auto started = co_await container_->start_exec(self, std::move(fds), std::move(fields));
  if (!started) {
    exit_code_ = start_failure_exit_code(started.error().text());
    if (for_failure && !spec_.plain_output) tell_failure(for_failure.get(), started.error().text(), !tty);
  }
  co_return started;
}

async::Task<Result<void>> Exec::resize(int rows, int columns) {
  auto self = shared_from_this();
  auto shim = container_->shim_;
  if (!running_ || !shim) co_return fail(ErrorCode::conflict, "exec {} is not running", id_);
  ShimFields fields{{"exec", id_}, {"rows", std::to_string(rows)}, {"cols", std::to_string(columns)}};
  auto reply = co_await shim->request("resize", std::move(fields));
  if (!reply) co_return std::unexpected(std::move(reply).error());
  co_return Result<void>();
}

async::Task<Result<void>> Exec::kill() {
  auto self = shared_from_this();
  auto shim = container_->shim_;
  if (!running_ || !shim) co_return fail(ErrorCode::conflict, "exec {} is not running", id_);
  ShimFields fields{{"exec", id_}, {"signal", std::to_string(SIGKILL)}};
  auto reply = co_await shim->request("signal", std::move(fields));
  if (!reply) co_return std::unexpected(std::move(reply).error());
  co_return Result<void>();
}

namespace {

bool has_home(const ProcessSpec& process) {
  for (const std::string& variable : process.env)
    if (variable.starts_with("HOME=")) return true;
  return false;
}

// "0:0" with HOME given needs nothing of the container's files: the way of every activation.
std::optional<ProcessUser> plain_user(const ProcessSpec& process) {
  auto [user, group] = split_once(process.user, ':');
  auto uid = parse_number<std::uint32_t>(user);
  auto gid = group ? parse_number<std::uint32_t>(*group) : std::nullopt;
  if (!uid || !gid || !process.groups.empty() || !has_home(process)) return {};
  return ProcessUser{*uid, *gid, {}, "/"};
}

Result<ProcessUser> look_up_user(const ProcessSpec& process, std::int64_t pid) {
  if (auto user = plain_user(process)) return *user;
  TRY(sys::UniqueFd fd, sys::open_file(fmt::format("/proc/{}/root", pid), O_PATH | O_DIRECTORY));
  fs::RootDir root(std::move(fd));
  std::string passwd = root.read_file("/etc/passwd").value_or(""), group = root.read_file("/etc/group").value_or("");
  auto user = resolve_user(process.user, process.groups, passwd, group);
  if (!user) return std::unexpected(std::move(user).error().as(ErrorCode::internal));
  return user;
}

}  // namespace

async::Task<Result<void>> Container::start_exec(std::shared_ptr<Exec> exec, std::vector<sys::UniqueFd> fds,
                                                std::vector<std::pair<std::string, std::string>> fields) {
  auto self = shared_from_this();
  auto shim = shim_;
  if (status_.state == State::paused)
    co_return fail(ErrorCode::conflict, "Container {} is paused, unpause the container before exec", spec_.name);
  if (status_.state == State::restarting)
    co_return fail(ErrorCode::conflict, "Container {} is restarting, wait until the container is running", id());
  if (!running() || !shim || finishing_) co_return fail(ErrorCode::conflict, "container {} is not running", id());
  engine_.expect_process();
  ProcessSpec process = exec->spec_.process;
  CO_TRY(ProcessUser user, look_up_user(process, status_.process.pid));
  CO_TRY(json::Value config, exec_config(spec_, process, user, bounding_capabilities()));
  std::string file = fmt::format("{}/exec-{}.json", engine_.paths_.run(id()), exec->id());
  CO_TRY_OK(sys::replace_file(file, json::print(config), 0600));
  fields.emplace_back("id", exec->id());
  fields.emplace_back("process", file);
  fields.emplace_back("tty", process.tty ? "1" : "0");
  crash_point("exec.before-shim");
  running_execs_[exec->id()] = exec;
  exec->running_ = true;
  publish("exec_start: " + join(process.args, " "), {{"execID", exec->id()}});
  auto reply = co_await shim->request("exec", std::move(fields), std::move(fds));
  (void)sys::remove_file(file);
  if (!reply) {
    running_execs_.erase(exec->id());
    exec->running_ = false;
    if (shim->closed() || finishing_ || !running())
      co_return fail(ErrorCode::conflict, "container {} is not running", id());
    co_return std::unexpected(exec_error(process, reply.error()));
  }
  exec->pid_ = reply->number("pid");
  crash_point("exec.started");
  co_return Result<void>();
}

std::vector<std::shared_ptr<Exec>> Container::execs_running() const {
  std::vector<std::shared_ptr<Exec>> list;
  for (const auto& [exec_id, exec] : running_execs_) list.push_back(exec);
  return list;
}

void Container::exec_ended(const std::string& exec_id, int code) {
  // The status file has done its work: the engine knows now.
  (void)sys::remove_file(engine_.paths_.exit_dir(id()) + "/exec-" + exec_id + ".exit");
  auto found = running_execs_.find(exec_id);
  if (found == running_execs_.end()) return;
  auto exec = found->second;
  running_execs_.erase(found);
  exec->ended(code);
  publish("exec_die", {{"execID", exec_id}, {"exitCode", std::to_string(code)}});
  activations_->exec_ended(exec_id);
  changes_.notify_all();
}

}  // namespace berth::engine
