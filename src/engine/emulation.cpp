#include "engine/emulation.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <optional>

#include "base/text.h"
#include "sys/file.h"

namespace berth::engine {

namespace {

struct Architecture {
  const char* name;
  const char* kernel;  // as uname(2) says it
  unsigned machine;    // e_machine of elf(5)
  bool big_endian;
};

constexpr unsigned kLoongarch = 258;  // not yet in every <elf.h>

constexpr Architecture kArchitectures[] = {
    {"amd64", "x86_64", EM_X86_64, false},   {"386", "i686", EM_386, false},
    {"arm64", "aarch64", EM_AARCH64, false}, {"arm", "armv7l", EM_ARM, false},
    {"riscv64", "riscv64", EM_RISCV, false}, {"ppc64le", "ppc64le", EM_PPC64, false},
    {"s390x", "s390x", EM_S390, true},       {"loong64", "loongarch64", kLoongarch, false},
};

// Bytes from a handler's "magic" line.
std::string from_hex(std::string_view hex) {
  auto digit = [](char c) { return c >= 'a' ? c - 'a' + 10 : c - '0'; };
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1])));
  return bytes;
}

// "enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: OCF\noffset 0\nmagic 7f454c46...\nmask ffff...\n"
std::optional<std::string> emulated_by(const std::string& handler) {
  bool enabled = false, fixed = false;
  std::string magic;
  for (const std::string& line : split(handler, '\n')) {
    if (line == "enabled") enabled = true;
    if (line.starts_with("flags:")) fixed = line.find('F') != std::string::npos;
    if (line.starts_with("magic ")) magic = from_hex(std::string_view(line).substr(6));
  }
  if (!enabled || !fixed || magic.size() < 20 || !magic.starts_with(ELFMAG)) return {};
  bool big_endian = magic[EI_DATA] == ELFDATA2MSB;
  auto byte = [&magic](std::size_t at) { return static_cast<unsigned>(static_cast<unsigned char>(magic[at])); };
  unsigned machine = big_endian ? byte(18) << 8 | byte(19) : byte(19) << 8 | byte(18);
  for (const Architecture& known : kArchitectures)
    if (known.machine == machine && known.big_endian == big_endian) return known.name;
  return {};
}

// A binfmt_misc that is attached nowhere, for hosts that have not mounted theirs; the handlers are the same.
Result<sys::UniqueFd> handlers_of_the_kernel() {
  sys::UniqueFd context(::fsopen("binfmt_misc", FSOPEN_CLOEXEC));
  if (!context) return fail_errno("open binfmt_misc");
  if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) < 0) return fail_errno("make binfmt_misc");
  sys::UniqueFd mounted(::fsmount(context.get(), FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
  if (!mounted) return fail_errno("mount binfmt_misc");
  return mounted;
}

}  // namespace

bool runs_natively(std::string_view architecture) {
  utsname names{};
  ::uname(&names);
  std::string_view kernel = names.machine;
  for (const Architecture& known : kArchitectures)
    if (architecture == known.name && kernel == known.kernel) return true;
  return (kernel == "x86_64" && architecture == "386") || (kernel == "aarch64" && architecture == "arm");
}

std::set<std::string> emulated_architectures(const std::string& handlers) {
  std::set<std::string> found;
  std::string directory = handlers;
  sys::UniqueFd detached;
  if (directory.empty()) {
    auto mounted = handlers_of_the_kernel();
    if (!mounted) return found;
    detached = *std::move(mounted);
    directory = fmt::format("/proc/self/fd/{}", detached.get());
  }
  auto names = sys::list_directory(directory);
  if (!names) return found;
  for (const std::string& name : *names) {
    if (name == "register" || name == "status") continue;
    auto text = sys::read_file(directory + "/" + name);
    if (!text) continue;
    if (auto architecture = emulated_by(*text)) found.insert(*std::move(architecture));
  }
  return found;
}

std::string emulation_advice(std::string_view architecture) {
  if (runs_natively(architecture) || emulated_architectures().contains(std::string(architecture))) return {};
  return fmt::format("this host cannot run programs for {}: apt-get install qemu-user-static binfmt-support",
                     architecture);
}

}  // namespace berth::engine
