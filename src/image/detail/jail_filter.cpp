#include "image/detail/jail_filter.h"

#include <seccomp.h>
#include <sys/mman.h>

#include <cerrno>
#include <memory>

namespace berth::image {

namespace {

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define BERTH_UNFILTERED
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define BERTH_UNFILTERED
#endif

constexpr int kAllowed[] = {
    // What is there already, and what is made.
    SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(pread64), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(pwrite64),
    SCMP_SYS(lseek), SCMP_SYS(close), SCMP_SYS(ftruncate), SCMP_SYS(fallocate), SCMP_SYS(fsync), SCMP_SYS(fdatasync),
    SCMP_SYS(openat), SCMP_SYS(openat2), SCMP_SYS(fcntl), SCMP_SYS(getdents64), SCMP_SYS(readlinkat), SCMP_SYS(stat),
    SCMP_SYS(lstat), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(mkdirat), SCMP_SYS(mknodat),
    SCMP_SYS(symlinkat), SCMP_SYS(linkat), SCMP_SYS(unlinkat), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(chmod),
    SCMP_SYS(fchmod), SCMP_SYS(fchmodat), SCMP_SYS(fchown), SCMP_SYS(fchownat), SCMP_SYS(utimensat),
    SCMP_SYS(fsetxattr), SCMP_SYS(fgetxattr), SCMP_SYS(flistxattr), SCMP_SYS(fremovexattr),
    // Memory; mmap and mprotect have rules of their own.
    SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex),
    // Itself. It is PID 1 of a namespace of its own, so a signal reaches nobody else.
    SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(tgkill), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall), SCMP_SYS(clock_gettime), SCMP_SYS(getrandom), SCMP_SYS(exit),
    SCMP_SYS(exit_group)};

struct Release {
  void operator()(void* filter) const { ::seccomp_release(filter); }
};

// libseccomp gives a negative errno.
Result<void> check(int outcome) {
  if (outcome == 0) return {};
  errno = -outcome;
  return fail_errno("filter system calls");
}

}  // namespace

Result<void> allow_only_file_work() {
#ifdef BERTH_UNFILTERED
  return {};
#else
  std::unique_ptr<void, Release> filter(::seccomp_init(SCMP_ACT_KILL_PROCESS));
  if (filter == nullptr) return fail(ErrorCode::exhausted, "no memory for a filter of system calls");
  for (int call : kAllowed) {
    // A negative number is a call that this architecture does not have.
    if (call >= 0) TRY_OK(check(::seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 0)));
  }
  for (int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)})
    TRY_OK(check(::seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0))));
  return check(::seccomp_load(filter.get()));
#endif
}

}  // namespace berth::image
