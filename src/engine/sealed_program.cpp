#include "engine/sealed_program.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/log.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U  // since Linux 6.3
#endif

namespace berth::engine {

namespace {

std::string identity_of(const struct stat& file) {
  return fmt::format("{}:{}:{}:{}.{}", file.st_dev, file.st_ino, file.st_size, file.st_mtim.tv_sec,
                     file.st_mtim.tv_nsec);
}

bool is_elf(int fd) {
  char magic[4] = {};
  return ::pread(fd, magic, sizeof magic, 0) == sizeof magic && std::string_view(magic, 4) == "\177ELF";
}

Result<sys::UniqueFd> sealed_copy(int file, std::size_t size, const std::string& name) {
  sys::UniqueFd copy(::memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC));
  if (!copy && errno == EINVAL) copy.reset(::memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!copy) return fail_errno("make a memory file");
  for (std::size_t left = size; left > 0;) {
    ssize_t sent = ::sendfile(copy.get(), file, nullptr, left);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return fail_errno("copy into a memory file");
    left -= static_cast<std::size_t>(sent);
  }
  // Exactly these: the runtimes compare for equality.
  if (::fcntl(copy.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
    return fail_errno("seal a memory file");
  return copy;
}

}  // namespace

std::shared_ptr<const sys::UniqueFd> SealedProgram::get() {
  struct stat now{};
  if (::stat(path_.c_str(), &now) == 0 && identity_of(now) == identity_) return copy_;
  copy_.reset();
  sys::UniqueFd file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status{};
  if (!file || ::fstat(file.get(), &status) < 0 || !S_ISREG(status.st_mode)) return nullptr;
  identity_ = identity_of(status);
  if (!is_elf(file.get())) return nullptr;
  auto copy = sealed_copy(file.get(), static_cast<std::size_t>(status.st_size), path_.substr(path_.rfind('/') + 1));
  if (!copy) {
    log::info("runtime not sealed", {{"program", path_}, {"error", copy.error().text()}});
    return nullptr;
  }
  copy_ = std::make_shared<const sys::UniqueFd>(*std::move(copy));
  return copy_;
}

}  // namespace berth::engine
