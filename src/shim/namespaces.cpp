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

// Holds the namespaces open until the parent has taken hold of them and kills it.
[[noreturn]] void hold_namespaces(bool private_netns, int ready) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int error = private_netns ? bring_up_loopback() : 0;
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

Result<> take_namespaces(pid_t child, int ready, std::uint32_t base, std::uint32_t size, bool private_netns,
                         Namespaces& made) {
  int error = EPIPE;
  if (read(ready, &error, sizeof error) < 0) return fail(errno, "wait for the new namespaces");
  if (error != 0) return fail(error, "set lo up in the new network namespace");
  if (size != 0) {
    SHIM_TRY(write_map(concat("/proc/", child, "/uid_map"), base, size));
    SHIM_TRY(write_map(concat("/proc/", child, "/gid_map"), base, size));
    SHIM_TRY(open_namespace(child, "user", made.user));
  }
  if (private_netns) SHIM_TRY(open_namespace(child, "net", made.net));
  return {};
}

}  // namespace

Result<Namespaces> make_namespaces(std::uint32_t userns_base, std::uint32_t userns_size, bool private_netns) {
  Namespaces made;
  if (userns_size == 0 && !private_netns) return made;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return fail(errno, "make a pipe");
  const Fd ready(ends[0]);
  Fd child_ready(ends[1]);
  // With both flags the kernel makes the user namespace first, which then owns the network namespace (clone(2)).
  const long flags = SIGCHLD | (userns_size != 0 ? CLONE_NEWUSER : 0) | (private_netns ? CLONE_NEWNET : 0);
  const pid_t child = static_cast<pid_t>(syscall(SYS_clone, flags, nullptr, nullptr, nullptr, nullptr));
  if (child < 0) {
    return fail(errno, userns_size != 0 ? "make a user namespace (see sysctl user.max_user_namespaces)"
                                        : "make a network namespace (see sysctl user.max_net_namespaces)");
  }
  if (child == 0) hold_namespaces(private_netns, child_ready.get());
  child_ready.close();
  Result<> taken = take_namespaces(child, ready.get(), userns_base, userns_size, private_netns, made);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  if (!taken) return std::unexpected(std::move(taken).error());
  return made;
}

}  // namespace berth::shim
