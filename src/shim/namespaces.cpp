#include "shim/namespaces.h"

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

namespace berth::shim {

namespace {

// In the child, inside the new namespaces: 0 or an errno.
int bring_up_loopback() {
  const Fd socket_fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket_fd.valid()) return errno;
  ifreq request{};
  request.ifr_name[0] = 'l';
  request.ifr_name[1] = 'o';
  request.ifr_flags = IFF_UP;
  return ioctl(socket_fd.get(), SIOCSIFFLAGS, &request) == 0 ? 0 : errno;
}

// A network namespace inside a user namespace that exists: 0 or an errno.
int enter_joined(int joined_user) {
  if (setns(joined_user, CLONE_NEWUSER) != 0) return errno;
  return unshare(CLONE_NEWNET) == 0 ? 0 : errno;
}

// Holds the namespaces open until the parent has taken hold of them and kills it.
[[noreturn]] void hold_namespaces(int joined_user, bool private_netns, int ready) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  int error = joined_user >= 0 && private_netns ? enter_joined(joined_user) : 0;
  if (error == 0 && private_netns) error = bring_up_loopback();
  if (write(ready, &error, sizeof error) == sizeof error) {
    for (;;) pause();
  }
  _exit(1);
}

Result<> write_map(Buffer path, std::uint32_t base, std::uint32_t size) {
  const Buffer map = concat("0 ", base, " ", size, "\n");
  const Fd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd.valid()) return fail(errno, "open ", path);
  if (write(fd.get(), map.view().data(), map.size()) < 0)
    return fail(errno, "write ids ", base, "+", size, " to ", path);
  return {};
}

Result<> open_namespace(pid_t child, const char* name, Fd& fd) {
  Buffer path = concat("/proc/", child, "/ns/", name);
  fd = Fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return fail(errno, "open ", path);
  return {};
}

Result<> take_namespaces(pid_t child, int ready, const Conf& conf, Namespaces& made) {
  int error = EPIPE;
  if (read(ready, &error, sizeof error) < 0) return fail(errno, "wait for the new namespaces");
  if (error != 0) return fail(error, "make a network namespace with lo up");
  if (conf.userns_size != 0 && !made.user.valid()) {
    SHIM_TRY(write_map(concat("/proc/", child, "/uid_map"), conf.userns_base, conf.userns_size));
    SHIM_TRY(write_map(concat("/proc/", child, "/gid_map"), conf.userns_base, conf.userns_size));
    SHIM_TRY(open_namespace(child, "user", made.user));
  }
  if (conf.private_netns) SHIM_TRY(open_namespace(child, "net", made.net));
  return {};
}

Result<> open_joined(Buffer& path, Fd& fd) {
  if (path.empty()) return {};
  fd = Fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return fail(errno, "join the namespace ", path);
  return {};
}

}  // namespace

Result<Namespaces> make_namespaces(Conf& conf) {
  Namespaces made;
  SHIM_TRY(open_joined(conf.join_user, made.user));
  SHIM_TRY(open_joined(conf.join_net, made.net));
  SHIM_TRY(open_joined(conf.join_pid, made.pid));
  SHIM_TRY(open_joined(conf.join_ipc, made.ipc));
  const bool new_user = conf.userns_size != 0 && !made.user.valid();
  if (!new_user && !conf.private_netns) return made;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return fail(errno, "make a pipe");
  const Fd ready(ends[0]);
  Fd child_ready(ends[1]);
  // With both flags the kernel makes the user namespace first, which then owns the network namespace (clone(2)).
  const bool new_net = conf.private_netns && !made.user.valid();
  const long flags = SIGCHLD | (new_user ? CLONE_NEWUSER : 0) | (new_net ? CLONE_NEWNET : 0);
  const pid_t child = static_cast<pid_t>(syscall(SYS_clone, flags, nullptr, nullptr, nullptr, nullptr));
  if (child < 0) {
    return fail(errno, new_user ? "make a user namespace (see sysctl user.max_user_namespaces)"
                                : "make a network namespace (see sysctl user.max_net_namespaces)");
  }
  if (child == 0) hold_namespaces(made.user.get(), conf.private_netns, child_ready.get());
  child_ready.close();
  Result<> taken = take_namespaces(child, ready.get(), conf, made);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  if (!taken) return std::unexpected(std::move(taken).error());
  return made;
}

}  // namespace berth::shim
