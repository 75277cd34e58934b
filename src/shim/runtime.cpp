#include "shim/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "shim/json_text.h"
#include "shim/protocol.h"

namespace berth::shim {

namespace {

constexpr std::size_t kMaxConfig = 8 << 20;
constexpr std::size_t kMaxLog = 256 << 10;
constexpr std::size_t kMaxArguments = 64;

// argv of a runtime: pointers into buffers that outlive the call.
class Arguments {
 public:
  void add(const char* argument) {
    if (count_ < kMaxArguments) list_[count_++] = const_cast<char*>(argument);
  }
  void add(const char* option, Buffer& value) {
    add(option);
    add(value.c_str());
  }
  char** list() { return list_; }

 private:
  char* list_[kMaxArguments + 1] = {};
  std::size_t count_ = 0;
};

// Runs arguments[0], or the program that the descriptor names, unless it is -1. The child shares this memory until it
// execs (vfork(2)), so it does nothing but system calls.
Result<pid_t> spawn(int program, char** arguments, const int (&fds)[3]) {
  static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  char* environment[] = {path, nullptr};
  volatile int exec_errno = 0;
  const pid_t pid = vfork();
  if (pid < 0) return fail(errno, "start a process for ", arguments[0]);
  if (pid == 0) {
    // A runtime whose shim is dead would make a container that nobody holds.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    // What the shim ignores and blocks would be inherited by the container.
    for (int number = 1; number < NSIG; ++number) signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    for (int i = 0; i < 3; ++i) dup2(fds[i], i);
    if (program >= 0) {
      syscall(SYS_execveat, program, "", arguments, environment, AT_EMPTY_PATH);
    } else {
      execve(arguments[0], arguments, environment);
    }
    exec_errno = errno;
    _exit(127);
  }
  if (exec_errno != 0) {
    waitpid(pid, nullptr, 0);
    return fail(exec_errno, "run ", arguments[0]);
  }
  return pid;
}

std::string_view last_line(std::string_view text) {
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  const std::size_t newline = text.rfind('\n');
  if (newline != std::string_view::npos) text.remove_prefix(newline + 1);
  return text;
}

void replace_token(Buffer& out, std::string_view text, std::string_view token, const Buffer& value) {
  for (std::size_t at; (at = text.find(token)) != std::string_view::npos;) {
    out.append(text.substr(0, at)).append(value);
    text.remove_prefix(at + token.size());
  }
  out.append(text);
}

Buffer descriptor_path(int fd) { return concat("/proc/", getpid(), "/fd/", fd); }

}  // namespace

Result<> RuntimeCall::start(Conf& conf, Call call, const ProcessIo::ChildEnds& ends) {
  call_ = std::move(call);
  unlink(call_.pid_file.c_str());
  unlink(call_.log_file.c_str());
  Buffer console_path;
  if (call_.tty) {
    SHIM_TRY(console_.listen(conf, call_.number));
    console_path = console_.path();
  }
  Arguments arguments;
  arguments.add(conf.runtime.c_str());
  arguments.add("--root", conf.runtime_root);
  arguments.add("--log", call_.log_file);
  arguments.add("--log-format");
  arguments.add("json");
  for (PathItem& argument : conf.runtime_args) arguments.add(argument.path.c_str());
  if (call_.process.empty()) {
    arguments.add("run");
    arguments.add("--bundle", conf.bundle);
  } else {
    arguments.add("exec");
    arguments.add("--process", call_.process);
  }
  arguments.add("--detach");
  arguments.add("--pid-file", call_.pid_file);
  if (call_.tty) arguments.add("--console-socket", console_path);
  arguments.add(conf.id.c_str());

  const int fds[3] = {ends.fds[0].get(), ends.fds[1].get(), ends.fds[2].get()};
  Result<pid_t> pid = spawn(conf.runtime_fd, arguments.list(), fds);
  if (!pid) return std::unexpected(std::move(pid).error());
  pid_ = *pid;
  clock_gettime(CLOCK_MONOTONIC, &deadline_);
  deadline_.tv_sec += static_cast<time_t>(conf.runtime_timeout);
  return {};
}

int RuntimeCall::time_left() const {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  const long left = (deadline_.tv_sec - now.tv_sec) * 1000 + (deadline_.tv_nsec - now.tv_nsec) / 1'000'000 + 1;
  return static_cast<int>(std::clamp(left, 0L, 3'600'000L));
}

void RuntimeCall::kill_overdue() {
  overdue_ = true;
  kill(pid_, SIGKILL);
  // Its end is reported like any other; until then it is not overdue again.
  deadline_.tv_sec += 3600;
}

Result<RuntimeCall::Outcome> RuntimeCall::finish(const Conf& conf, int status) {
  pid_ = -1;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return explain(conf, status);
  unlink(call_.log_file.c_str());
  const Result<Buffer> text = read_file(call_.pid_file.c_str(), 64);
  Outcome outcome;
  if (text) outcome.pid = static_cast<pid_t>(to_number(last_line(text->view())));
  if (outcome.pid <= 0) return fail(0, conf.runtime, " left no pid in ", call_.pid_file);
  if (!call_.process.empty()) unlink(call_.pid_file.c_str());
  if (call_.tty && !console_.is_done()) {
    outcome.terminal = console_.take_master();
    if (!outcome.terminal.valid()) return fail(0, conf.runtime, " sent no terminal");
  }
  console_.close();
  return outcome;
}

std::unexpected<Error> RuntimeCall::explain(const Conf& conf, int status) {
  Result<Buffer> log = read_file(call_.log_file.c_str(), kMaxLog);
  if (!call_.process.empty()) unlink(call_.log_file.c_str());
  if (overdue_) return fail(ETIMEDOUT, conf.runtime, " did not answer within ", conf.runtime_timeout, " s");
  if (log) {
    Buffer message = find_json_string(last_line(log->view()), "msg");
    if (!message.empty()) return std::unexpected(Error{0, std::move(message)});
  }
  if (WIFSIGNALED(status)) return fail(0, conf.runtime, " was killed by signal ", WTERMSIG(status));
  return std::unexpected(Error{});
}

Result<> write_runtime_config(const Conf& conf, const Namespaces& namespaces) {
  Buffer source = concat(conf.bundle, "/config.template.json");
  Result<Buffer> text = read_file(source.c_str(), kMaxConfig);
  if (!text) return std::unexpected(std::move(text).error());
  Buffer config = std::move(*text);
  struct Token {
    std::string_view word;
    const Fd& fd;
  };
  for (const Token& token : {Token{kUsernsToken, namespaces.user}, Token{kNetnsToken, namespaces.net},
                             Token{kPidnsToken, namespaces.pid}, Token{kIpcnsToken, namespaces.ipc}}) {
    if (!token.fd.valid()) continue;
    Buffer replaced;
    replace_token(replaced, config.view(), token.word, descriptor_path(token.fd.get()));
    config = std::move(replaced);
  }
  Buffer target = concat(conf.bundle, "/config.json");
  return write_file_atomically(target, config.view());
}

std::uint64_t start_time_of(pid_t pid) {
  Buffer path = concat("/proc/", pid, "/stat");
  const Result<Buffer> text = read_file(path.c_str(), 4096);
  if (!text) return 0;
  std::string_view rest = text->view();
  // The second field, the name, is in parentheses and may hold anything; the third follows its last one.
  const std::size_t name_end = rest.rfind(')');
  if (name_end == std::string_view::npos) return 0;
  rest.remove_prefix(name_end + 1);
  constexpr int kFieldsBetween = 20;  // fields 3 to 21 and the space before field 22
  for (int i = 0; i < kFieldsBetween; ++i) {
    const std::size_t space = rest.find(' ');
    if (space == std::string_view::npos) return 0;
    rest.remove_prefix(space + 1);
  }
  return to_number(rest.substr(0, rest.find(' ')));
}

void kill_children() {
  // The kernel lists them where CONFIG_PROC_CHILDREN is set; where it is not, their namespaces' end must do.
  for (;;) {
    const Result<Buffer> text = read_file("/proc/thread-self/children", kMaxLog);
    if (!text || text->empty()) return;
    std::string_view rest = text->view();
    while (!rest.empty()) {
      const std::size_t space = std::min(rest.find(' '), rest.size());
      const auto pid = static_cast<pid_t>(to_number(rest.substr(0, space)));
      rest.remove_prefix(std::min(space + 1, rest.size()));
      if (pid <= 0) continue;
      kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
    }
  }
}

}  // namespace berth::shim
