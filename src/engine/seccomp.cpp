#include "engine/seccomp.h"

#include <sys/socket.h>

#include <cerrno>
#include <string_view>

#include "base/text.h"

namespace berth::engine {

namespace {

// Allowed to everybody, by kind. Names that an architecture does not know are skipped by the runtime.
constexpr std::string_view kFiles =
    "access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 "
    "fadvise64 fadvise64_64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 "
    "fdatasync "
    "fgetxattr flistxattr flock fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate "
    "ftruncate64 futimesat getcwd getdents getdents64 getxattr ioctl lchown lchown32 lgetxattr link linkat listxattr "
    "llistxattr _llseek lremovexattr lseek lsetxattr lstat lstat64 mkdir mkdirat mknod mknodat name_to_handle_at "
    "newfstatat open openat openat2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink "
    "readlinkat "
    "readv removexattr rename renameat renameat2 rmdir sendfile sendfile64 setxattr splice stat stat64 statfs statfs64 "
    "statx symlink symlinkat sync sync_file_range syncfs tee truncate truncate64 umask unlink unlinkat utime utimensat "
    "utimensat_time64 utimes vmsplice write writev cachestat";
constexpr std::string_view kWaiting =
    "epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd "
    "eventfd2 fanotify_mark futex futex_time64 futex_waitv futex_wake futex_wait futex_requeue get_robust_list "
    "inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents "
    "io_pgetevents_time64 io_setup io_submit _newselect poll ppoll ppoll_time64 pselect6 pselect6_time64 select "
    "set_robust_list signalfd signalfd4";
constexpr std::string_view kSockets =
    "accept accept4 bind connect getpeername getsockname getsockopt listen pipe pipe2 recv recvfrom recvmmsg "
    "recvmmsg_time64 recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketcall socketpair";
constexpr std::string_view kMemory =
    "brk madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mmap2 "
    "mprotect "
    "mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_mrelease remap_file_pages";
constexpr std::string_view kProcesses =
    "capget capset execve execveat exit exit_group fork getcpu getegid getegid32 geteuid geteuid32 getgid getgid32 "
    "getgroups getgroups32 getpgid getpgrp getpid getppid getpriority getresgid getresgid32 getresuid getresuid32 "
    "getrlimit getrusage getsid get_thread_area gettid getuid getuid32 ioprio_get ioprio_set kill landlock_add_rule "
    "landlock_create_ruleset landlock_restrict_self pause pidfd_open pidfd_send_signal prctl prlimit64 "
    "process_vm_readv process_vm_writev ptrace restart_syscall rseq rt_sigaction rt_sigpending rt_sigprocmask "
    "rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo "
    "sched_getaffinity sched_getattr sched_getparam sched_get_priority_max sched_get_priority_min sched_getscheduler "
    "sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam "
    "sched_setscheduler sched_yield seccomp setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups "
    "setgroups32 setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid "
    "setreuid32 setrlimit setsid set_thread_area set_tid_address setuid setuid32 sigaltstack sigprocmask sigreturn "
    "tgkill "
    "tkill ugetrlimit vfork wait4 waitid waitpid";
constexpr std::string_view kTimeAndSystem =
    "adjtimex alarm clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 "
    "clock_nanosleep clock_nanosleep_time64 getitimer getrandom gettimeofday nanosleep setitimer sysinfo time "
    "timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 "
    "timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times uname";
constexpr std::string_view kIpc =
    "ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 "
    "mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget";
#if defined(__x86_64__)
constexpr std::string_view kArchitecture = "arch_prctl modify_ldt";
#elif defined(__aarch64__)
constexpr std::string_view kArchitecture =
    "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls";
#else
constexpr std::string_view kArchitecture = "";
#endif

// Allowed to containers with a capability.
constexpr struct {
  std::string_view capability;
  std::string_view names;
} kByCapability[] = {
    {"CAP_SYS_ADMIN",
     "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr move_mount "
     "open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare "
     "listmount statmount"},
    {"CAP_DAC_READ_SEARCH", "open_by_handle_at"},
    {"CAP_SYS_BOOT", "reboot"},
    {"CAP_SYS_CHROOT", "chroot"},
    {"CAP_SYS_MODULE", "delete_module init_module finit_module"},
    {"CAP_SYS_PACCT", "acct"},
    {"CAP_SYS_PTRACE", "kcmp pidfd_getfd process_madvise"},
    {"CAP_SYS_RAWIO", "iopl ioperm"},
    {"CAP_SYS_TIME", "settimeofday stime clock_settime clock_settime64"},
    {"CAP_SYS_TTY_CONFIG", "vhangup"},
    {"CAP_SYS_NICE", "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"},
    {"CAP_SYSLOG", "syslog"},
    {"CAP_BPF", "bpf"},
    {"CAP_PERFMON", "perf_event_open"},
};

json::Value rule(std::string_view names, json::Array arguments = {}) {
  json::Array list;
  for (const std::string& name : split(names, ' ')) list.emplace_back(name);
  json::Object object{{"names", std::move(list)}, {"action", "SCMP_ACT_ALLOW"}};
  if (!arguments.empty()) object["args"] = std::move(arguments);
  return object;
}

json::Value argument(int index, std::uint64_t value, std::string_view operation, std::uint64_t value_two = 0) {
  return json::Object{{"index", index}, {"value", value}, {"valueTwo", value_two}, {"op", operation}};
}

}  // namespace

json::Value seccomp_profile(const std::set<std::string>& capabilities) {
  json::Array rules;
  for (std::string_view names : {kFiles, kWaiting, kSockets, kMemory, kProcesses, kTimeAndSystem, kIpc, kArchitecture})
    if (!names.empty()) rules.push_back(rule(names));
  // Sockets of every family but AF_ALG, which has had one kernel bug after another, and AF_VSOCK, which reaches the
  // hypervisor past every network rule.
  rules.push_back(rule("socket", {argument(0, AF_ALG, "SCMP_CMP_LT")}));
  rules.push_back(rule("socket", {argument(0, AF_NFC, "SCMP_CMP_EQ")}));
  rules.push_back(rule("socket", {argument(0, AF_VSOCK, "SCMP_CMP_GT")}));
  // personality(2): Linux, Linux 32 bit, the same with UNAME26, and the query.
  for (std::uint64_t value : {0x0ULL, 0x8ULL, 0x20000ULL, 0x20008ULL, 0xffffffffULL})
    rules.push_back(rule("personality", {argument(0, value, "SCMP_CMP_EQ")}));
  for (const auto& entry : kByCapability)
    if (capabilities.contains(std::string(entry.capability))) rules.push_back(rule(entry.names));
  if (!capabilities.contains("CAP_SYS_ADMIN")) {
    // clone(2) without any CLONE_NEW* flag. clone3(2) keeps its flags in memory, where a filter cannot look: ENOSYS
    // makes libraries fall back to clone.
    constexpr std::uint64_t kNamespaceFlags = 0x7e020000;
    rules.push_back(rule("clone", {argument(0, kNamespaceFlags, "SCMP_CMP_MASKED_EQ", 0)}));
    rules.push_back(json::Object{
        {"names", json::Array{"clone3"}}, {"action", "SCMP_ACT_ERRNO"}, {"errnoRet", static_cast<int>(ENOSYS)}});
  }
#if defined(__x86_64__)
  json::Array architectures{"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"};
#elif defined(__aarch64__)
  json::Array architectures{"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"};
#else
  json::Array architectures;
#endif
  json::Object profile{{"defaultAction", "SCMP_ACT_ERRNO"},
                       {"defaultErrnoRet", static_cast<int>(EPERM)},
                       {"syscalls", std::move(rules)}};
  if (!architectures.empty()) profile["architectures"] = std::move(architectures);
  return profile;
}

}  // namespace berth::engine
