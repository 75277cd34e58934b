#include "sys/process.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>

#include "base/text.h"
#include "sys/file.h"

namespace berth::sys {

Result<Process> Process::open(pid_t pid) {
  int fd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (fd < 0) {
    if (errno == ESRCH) return fail(ErrorCode::not_found, "no process {}", pid);
    return fail_errno(fmt::format("pidfd_open {}", pid));
  }
  return Process(pid, UniqueFd(fd));
}

Result<void> Process::signal(int number) const {
  if (::syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0) == 0) return {};
  if (errno == ESRCH) return fail(ErrorCode::not_found, "no process {}", pid_);
  return fail_errno(fmt::format("signal {} to process {}", number, pid_));
}

namespace {

int wait_status_of(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) return W_EXITCODE(info.si_status, 0);
  return info.si_status | (info.si_code == CLD_DUMPED ? WCOREFLAG : 0);
}

}  // namespace

Result<int> Process::wait() const {
  siginfo_t info{};
  while (::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED) < 0)
    if (errno != EINTR) return fail_errno(fmt::format("wait for process {}", pid_));
  return wait_status_of(info);
}

Result<std::optional<int>> Process::try_wait() const {
  siginfo_t info{};
  while (::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED | WNOHANG) < 0)
    if (errno != EINTR) return fail_errno(fmt::format("wait for process {}", pid_));
  if (info.si_pid == 0) return std::optional<int>();
  return std::optional<int>(wait_status_of(info));
}

std::string boot_id() {
  static const std::string id = [] {
    auto text = read_file("/proc/sys/kernel/random/boot_id");
    return text ? std::string(trim(*text)) : std::string("unknown");
  }();
  return id;
}

Result<ProcessIdentity> identify(pid_t pid) {
  TRY(std::string stat, read_file(fmt::format("/proc/{}/stat", pid)));
  // The second field is the program's name in parentheses and may hold anything, so count from its last ')'.
  std::size_t after_name = stat.rfind(')');
  if (after_name == std::string::npos) return fail(ErrorCode::internal, "/proc/{}/stat is not as proc(5) says", pid);
  std::vector<std::string> fields = split(std::string_view(stat).substr(after_name + 2), ' ');
  constexpr std::size_t kStartTime = 22 - 3;
  std::optional<std::uint64_t> start;
  if (fields.size() > kStartTime) start = parse_number<std::uint64_t>(fields[kStartTime]);
  if (!start) return fail(ErrorCode::internal, "/proc/{}/stat is not as proc(5) says", pid);
  return ProcessIdentity{pid, *start, boot_id()};
}

Result<Process> find_process(const ProcessIdentity& identity) {
  auto gone = [&] { return fail(ErrorCode::not_found, "no process {}", identity.pid); };
  if (identity.pid <= 0 || identity.boot_id != boot_id()) return gone();
  TRY(Process process, Process::open(identity.pid));
  // Compared after the pidfd is held: were the pid reused in between, its start time would differ.
  auto current = identify(identity.pid);
  if (!current || *current != identity) return gone();
  return process;
}

namespace {

// What the child of clone(CLONE_VM|CLONE_VFORK) reads and writes: it runs on the parent's memory until it execs, so it
// calls nothing but system calls.
struct ChildPlan {
  const char* path;
  char* const* argv;
  char* const* env;
  const char* directory;
  std::pair<int, int>* fds;
  std::size_t fd_count;
  bool new_session;
  int error = 0;
};

int run_child(void* argument) {
  auto* plan = static_cast<ChildPlan*>(argument);
  auto give_up = [plan] {
    plan->error = errno;
    ::_exit(127);
  };
  struct sigaction standard{};
  standard.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &standard, nullptr);
  if (plan->new_session) ::setsid();
  if (plan->directory != nullptr && ::chdir(plan->directory) < 0) give_up();
  // First above every target number, so that no dup2 overwrites a descriptor that is still needed.
  constexpr int kScratch = 64;
  for (std::size_t i = 0; i < plan->fd_count; ++i) {
    int high = ::fcntl(plan->fds[i].first, F_DUPFD_CLOEXEC, kScratch);
    if (high < 0) give_up();
    plan->fds[i].first = high;
  }
  bool standard_named[3] = {};
  for (std::size_t i = 0; i < plan->fd_count; ++i) {
    if (::dup2(plan->fds[i].first, plan->fds[i].second) < 0) give_up();
    if (plan->fds[i].second < 3) standard_named[plan->fds[i].second] = true;
  }
  for (int number = 0; number < 3; ++number) {
    if (standard_named[number]) continue;
    int null = ::open("/dev/null", number == 0 ? O_RDONLY : O_WRONLY);
    if (null < 0) give_up();
    if (null != number) {
      ::dup2(null, number);
      ::close(null);
    }
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execve(plan->path, plan->argv, plan->env);
  give_up();
  return 127;
}

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> list;
  for (const std::string& string : strings) list.push_back(const_cast<char*>(string.c_str()));
  list.push_back(nullptr);
  return list;
}

}  // namespace

Result<Process> spawn(const SpawnOptions& options) {
  std::vector<char*> argv = pointers(options.argv);
  std::vector<char*> env;
  if (options.env) env = pointers(*options.env);
  std::vector<std::pair<int, int>> fds = options.fds;
  ChildPlan plan{options.argv.at(0).c_str(),
                 argv.data(),
                 options.env ? env.data() : environ,
                 options.directory.empty() ? nullptr : options.directory.c_str(),
                 fds.data(),
                 fds.size(),
                 options.new_session};
  constexpr std::size_t kStack = 64 << 10;
  auto stack = std::make_unique_for_overwrite<std::array<char, kStack>>();
  int pidfd = -1;
  // A signal handler of ours must not run in the child while it shares our memory.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  pid_t pid = ::clone(run_child, stack->data() + kStack, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &plan, &pidfd);
  int error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return fail_errno(error, "start " + options.argv[0]);
  Process child(pid, UniqueFd(pidfd));
  if (plan.error != 0) {
    (void)child.wait();
    return fail_errno(plan.error, "start " + options.argv[0]);
  }
  return child;
}

int exit_code_of(int wait_status) {
  return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

}  // namespace berth::sys
