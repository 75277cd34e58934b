#include "build/detail/mounts.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "async/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "fs/digest.h"
#include "fs/pack.h"
#include "fs/tree.h"
#include "sys/file.h"
#include "sys/unix_socket.h"

namespace berth::build {

using async::Task;

namespace {

constexpr std::uint32_t kSecretMode = 0400;
constexpr std::uint32_t kAgentMode = 0600;
constexpr std::uint32_t kCacheMode = 0755;

Result<void> set_owner(const std::string& path, const RunMount& mount, std::uint32_t usual_mode) {
  if (::chown(path.c_str(), mount.uid, mount.gid) < 0) return fail_errno("chown " + path);
  if (::chmod(path.c_str(), mount.mode.value_or(usual_mode)) < 0) return fail_errno("chmod " + path);
  return {};
}

std::string last_part(std::string_view path) { return std::string(path.substr(path.rfind('/') + 1)); }

}  // namespace

StepMounts::StepMounts(Build& build) : build_(build), agents_(build.loop()) {}
StepMounts::~StepMounts() = default;

std::vector<std::string> StepMounts::targets() const {
  std::vector<std::string> targets;
  for (const engine::MountSpec& mount : mounts_) targets.push_back(mount.target);
  for (const auto& [target, options] : tmpfs_) targets.push_back(target);
  return targets;
}

void StepMounts::bind(std::string source, std::string target, bool read_only) {
  engine::MountSpec mount;
  mount.type = "bind";
  mount.source = std::move(source);
  mount.target = std::move(target);
  mount.read_only = read_only;
  mounts_.push_back(std::move(mount));
}

Task<Result<void>> StepMounts::prepare(std::vector<RunMount> mounts, std::string working_directory) {
  for (RunMount& mount : mounts) {
    if (!mount.target.empty() && !mount.target.starts_with('/'))
      mount.target = "/" + fs::clean_path(working_directory + "/" + mount.target);
    if (mount.type == "bind") {
      CO_TRY_OK(co_await add_bind(mount));
    } else if (mount.type == "cache") {
      CO_TRY_OK(co_await add_cache(mount));
    } else if (mount.type == "secret") {
      CO_TRY_OK(add_secret(mount));
    } else if (mount.type == "ssh") {
      CO_TRY_OK(add_agent(mount));
    } else {
      tmpfs_[mount.target] = mount.size.empty() ? "mode=755" : "mode=755,size=" + mount.size;
    }
  }
  co_return Result<void>();
}

// A tree of its own: of an image only single layers have a path, and what a step writes must not get back.
Task<Result<std::string>> StepMounts::copy_out(RootPtr root, std::string path) {
  std::string directory = build_.next_path("bound");
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) co_return fail_errno("make a pipe");
  sys::UniqueFd read_end(ends[0]), write_end(ends[1]);
  Result<void> packed;
  auto pack = [root, path, &write_end]() -> Result<void> {
    sys::UniqueFd end = std::move(write_end);
    fs::FdSink sink(end.get());
    fs::BufferedSink buffered(sink, 256 << 10);
    TRY(struct ::stat status, root->lstat(path));
    fs::PackOptions options;
    if (!S_ISDIR(status.st_mode)) options.name = last_part(path);
    TRY_OK(fs::pack(*root, path, buffered, options));
    return buffered.flush();
  };
  async::TaskGroup packing(build_.loop());
  // Both live in this frame until the group has been joined.
  struct Pack {
    static Task<> run(async::Loop& loop, std::function<Result<void>()> work, Result<void>& result) {
      result = co_await loop.dedicated(std::move(work));
    }
  };
  packing.spawn("copy a mount", Pack::run(build_.loop(), pack, packed));
  auto extracted = co_await build_.images().extract(std::move(read_end), directory);
  co_await packing.join();
  CO_TRY_OK(std::move(packed));
  if (!extracted) co_return std::unexpected(std::move(extracted).error());
  // The directory above is 0700 for the sake of setuid files; the container's root, another user, must pass through.
  if (::chmod(directory.c_str(), 0711) < 0) co_return fail_errno("chmod " + directory);
  co_return directory + "/root";
}

Task<Result<void>> StepMounts::add_bind(RunMount mount) {
  RootPtr root = build_.context_;
  if (!mount.from.empty()) {
    CO_TRY(root, co_await build_.root_of_name(mount.from));
    if (!root) co_return fail(ErrorCode::invalid, "there is nothing in {} to be mounted", mount.from);
  }
  CO_TRY(std::string path, root->resolve(mount.source.empty() ? "/" : mount.source));
  auto status = root->lstat(path);
  if (!status)
    co_return fail(ErrorCode::not_found, "failed to compute cache key: \"{}\": not found",
                   mount.source.empty() ? "/" : mount.source);
  if (mount.from.empty()) {
    std::vector<CopySource> sources{{root, path, "x", S_ISDIR(status->st_mode)}};
    auto hash = [sources] { return plan_copy(sources, nullptr, {.target = "/x"}); };
    CO_TRY(CopyPlan plan, co_await build_.loop().dedicated(std::move(hash)));
    digest_ += plan.digest;
  }
  CO_TRY(std::string copy, co_await copy_out(root, path));
  std::string source = S_ISDIR(status->st_mode) ? copy : copy + "/" + last_part(path);
  bind(std::move(source), mount.target, mount.read_only.value_or(true));
  co_return Result<void>();
}

Task<Result<void>> StepMounts::add_cache(RunMount mount) {
  std::string key = fs::sha256_hex(mount.id.empty() ? mount.target : mount.id);
  HeldCache held{build_.builder_.cache(key), {}};
  if (mount.sharing == "private" && held.cache->users > 0) {
    key = random_hex(32);
    held.cache = build_.builder_.cache(key);
  }
  ++held.cache->users;
  if (mount.sharing == "locked") held.turn = co_await held.cache->turn.lock();
  caches_.push_back(std::move(held));
  std::string directory = build_.builder_.cache_directory(key), data = directory + "/data";
  if (!sys::exists(data)) {
    CO_TRY_OK(sys::ensure_directories(directory, 0711));
    std::string made = directory + "/new-" + random_hex(4);
    CO_TRY_OK(sys::make_directory(made, 0755));
    if (!mount.from.empty()) {
      CO_TRY(RootPtr root, co_await build_.root_of_name(mount.from));
      CO_TRY(std::string path, root->resolve(mount.source.empty() ? "/" : mount.source));
      CO_TRY(std::string copy, co_await copy_out(root, path));
      CO_TRY_OK(fs::remove_tree(made));
      if (::rename(copy.c_str(), made.c_str()) < 0) co_return fail_errno("fill the cache " + mount.target);
    }
    CO_TRY_OK(set_owner(made, mount, kCacheMode));
    // Another step may have been as fast.
    if (::rename(made.c_str(), data.c_str()) < 0) CO_TRY_OK(fs::remove_tree(made));
  }
  bind(data, mount.target, mount.read_only.value_or(false));
  co_return Result<void>();
}

Result<std::string> StepMounts::secrets_directory() {
  if (secrets_.empty()) {
    std::string directory = build_.builder_.secrets_directory() + "/" + random_hex(8);
    TRY_OK(sys::make_directory(directory, 0711));
    secrets_ = directory;
  }
  return secrets_;
}

Result<void> StepMounts::add_secret(RunMount mount) {
  std::string id = !mount.id.empty() ? mount.id : last_part(mount.target);
  auto secret = build_.request_.secrets.find(id);
  if (secret == build_.request_.secrets.end()) {
    if (mount.required) return fail(ErrorCode::not_found, "secret {}: not found", id);
    return {};
  }
  // The environment is part of the container's spec, which lies on the disk.
  if (!mount.env.empty())
    return fail(ErrorCode::unsupported, "secret {}: env is not supported by this engine: use the file", id);
  TRY(std::string directory, secrets_directory());
  std::string path = fmt::format("{}/{}", directory, mounts_.size());
  TRY_OK(sys::replace_file(path, secret->second, 0600));
  TRY_OK(set_owner(path, mount, kSecretMode));
  bind(path, mount.target.empty() ? "/run/secrets/" + id : mount.target, true);
  return {};
}

namespace {

Task<> pass_on(async::Fd& from, async::Fd& to) {
  std::string buffer(16 << 10, '\0');
  while (true) {
    auto got = co_await from.read_some(buffer);
    if (!got || *got == 0) break;
    if (!co_await to.write_all(std::string_view(buffer).substr(0, *got))) break;
  }
  ::shutdown(to.get(), SHUT_WR);
}

Task<> serve_agent_client(async::Loop& loop, sys::UniqueFd client, std::string agent_path) {
  auto agent = sys::connect_unix(agent_path, SOCK_STREAM);
  if (!agent) {
    log::warning("ssh agent not reached", {{"socket", agent_path}, {"error", agent.error().text()}});
    co_return;
  }
  async::Fd inside(loop, std::move(client)), outside(loop, *std::move(agent));
  async::TaskGroup backward(loop);
  backward.spawn("ssh agent's answers", pass_on(outside, inside));
  co_await pass_on(inside, outside);
  co_await backward.join();
}

Task<> serve_agent(async::Loop& loop, sys::UniqueFd listening, std::string agent_path) {
  async::Fd socket(loop, std::move(listening));
  async::TaskGroup clients(loop);
  while (co_await socket.readable()) {
    sys::UniqueFd client(::accept4(socket.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (client) clients.spawn("ssh agent's client", serve_agent_client(loop, std::move(client), agent_path));
  }
  clients.cancel();
  co_await clients.join();
}

}  // namespace

Result<void> StepMounts::add_agent(RunMount mount) {
  std::string id = mount.id.empty() ? "default" : mount.id;
  auto agent = build_.request_.agents.find(id);
  if (agent == build_.request_.agents.end()) {
    if (mount.required) return fail(ErrorCode::not_found, "ssh agent {}: not found", id);
    return {};
  }
  TRY(std::string directory, secrets_directory());
  std::string path = fmt::format("{}/{}", directory, mounts_.size());
  TRY(sys::UniqueFd socket, sys::listen_unix(path, SOCK_STREAM | SOCK_NONBLOCK, 0600, 16));
  TRY_OK(set_owner(path, mount, kAgentMode));
  agents_.spawn("ssh agent of a build", serve_agent(build_.loop(), std::move(socket), agent->second));
  std::string target = mount.target.empty() ? fmt::format("/run/buildkit/ssh_agent.{}", mounts_.size()) : mount.target;
  env_.push_back("SSH_AUTH_SOCK=" + target);
  bind(path, std::move(target), true);
  return {};
}

Task<> StepMounts::release() {
  agents_.cancel();
  co_await agents_.join();
  for (HeldCache& held : caches_) --held.cache->users;
  caches_.clear();
  if (secrets_.empty()) co_return;
  if (auto removed = fs::remove_tree(secrets_); !removed)
    log::error("secrets of a build not removed", {{"error", removed.error().text()}});
}

}  // namespace berth::build
