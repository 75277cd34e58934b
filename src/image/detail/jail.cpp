#include "image/detail/jail.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <vector>

#include "image/detail/jail_filter.h"
#include "sys/file.h"
#include "sys/process.h"
#include "sys/unique_fd.h"

namespace berth::image {

namespace {

constexpr rlim_t kMemory = 1 << 30;
constexpr char kFailed = 'E';
constexpr char kGood = 'G';

Result<std::pair<sys::UniqueFd, sys::UniqueFd>> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return fail_errno("pipe");
  return std::pair(sys::UniqueFd(ends[0]), sys::UniqueFd(ends[1]));
}

// In the child's new mount namespace: makes the directory the root and lets go of everything else.
Result<void> enter(const std::string& directory) {
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0) return fail_errno("make mounts private");
  if (::mount(directory.c_str(), directory.c_str(), nullptr, MS_BIND, nullptr) < 0)
    return fail_errno("bind " + directory);
  if (::chdir(directory.c_str()) < 0) return fail_errno("chdir " + directory);
  if (::syscall(SYS_pivot_root, ".", ".") < 0) return fail_errno("pivot_root");
  if (::umount2(".", MNT_DETACH) < 0) return fail_errno("detach the old root");
  if (::chdir("/") < 0) return fail_errno("chdir /");
  return {};
}

void close_others(std::vector<int> keep) {
  std::sort(keep.begin(), keep.end());
  unsigned next = 0;
  for (int fd : keep) {
    if (static_cast<unsigned>(fd) > next) ::close_range(next, static_cast<unsigned>(fd) - 1, 0);
    next = static_cast<unsigned>(fd) + 1;
  }
  ::close_range(next, ~0u, 0);
}

Result<void> confine(const std::string& directory) {
  TRY_OK(enter(directory));
  ::umask(0);
  rlimit no_core{};
  ::setrlimit(RLIMIT_CORE, &no_core);
  // A bound for what no other limit thought of; the largest window of zstd takes an eighth of it.
  rlimit memory{kMemory, kMemory};
#if !__has_feature(address_sanitizer)  // its shadow is terabytes
  ::setrlimit(RLIMIT_DATA, &memory);
#else
  (void)memory;
#endif
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return fail_errno("no_new_privs");
  return allow_only_file_work();
}

// The whole life of the child.
[[noreturn]] void run_child(const std::string& directory, std::vector<int> keep, int ready, int answer,
                            const std::function<std::string()>& work) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  keep.push_back(answer);
  char byte;
  // The parent closes its end without a word when it could not map the ids.
  if (::read(ready, &byte, 1) != 1) ::_exit(1);
  close_others(std::move(keep));
  std::string text;
  auto confined = confine(directory);
  if (confined) {
    try {
      text = kGood + work();
    } catch (const std::bad_alloc&) {
      text = kFailed + std::string("it needs more memory than it may have");
    }
  } else {
    text = kFailed + confined.error().text();
  }
  ::_exit(sys::write_all(answer, text) ? 0 : 1);
}

Result<void> map_ids(pid_t pid) {
  // The last id, 4294967295, means "none" and cannot be mapped.
  for (const char* map : {"uid_map", "gid_map"})
    TRY_OK(sys::write_value(fmt::format("/proc/{}/{}", pid, map), "0 0 4294967295\n"));
  return {};
}

Result<std::string> read_answer(int fd, std::size_t limit) {
  std::string text;
  std::vector<char> buffer(64 << 10);
  while (true) {
    ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read from the sandbox");
    if (got == 0) return text;
    if (text.size() + static_cast<std::size_t>(got) > limit)
      return fail(ErrorCode::exhausted, "the sandbox answers too much");
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace

Result<std::string> run_in_jail(const std::string& directory, const std::vector<int>& keep,
                                const std::function<std::string()>& work, std::size_t limit) {
  TRY(auto ready, make_pipe());
  TRY(auto answer, make_pipe());
  constexpr unsigned long kNamespaces =
      CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
  long pid = ::syscall(SYS_clone, kNamespaces | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  if (pid < 0) {
    if (errno == ENOSPC || errno == EPERM)
      return fail(ErrorCode::unsupported,
                  "extracting needs a user namespace, and the kernel gives none: see "
                  "/proc/sys/user/max_user_namespaces and kernel.unprivileged_userns_clone");
    return fail_errno("start a sandbox");
  }
  if (pid == 0) {
    ready.second.reset();
    answer.first.reset();
    run_child(directory, keep, ready.first.get(), answer.second.get(), work);
  }
  ready.first.reset();
  answer.second.reset();
  auto mapped = map_ids(static_cast<pid_t>(pid));
  if (mapped) mapped = sys::write_all(ready.second.get(), "g");
  ready.second.reset();
  auto text = read_answer(answer.first.get(), limit);
  if (!text) ::kill(static_cast<pid_t>(pid), SIGKILL);  // our own child, not yet reaped: the pid is still its
  int status = 0;
  while (::waitpid(static_cast<pid_t>(pid), &status, 0) < 0 && errno == EINTR) continue;
  TRY_OK(annotate(std::move(mapped), "map ids"));
  if (!text) return text;
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
    return fail(ErrorCode::internal, "the sandbox made a system call that it may not make, and was killed");
  if (status != 0 || text->empty())
    return fail(ErrorCode::internal, "the sandbox died (exit code {})", sys::exit_code_of(status));
  if (text->front() == kFailed) return fail(ErrorCode::io, "sandbox: {}", text->substr(1));
  return text->substr(1);
}

}  // namespace berth::image
