#include "fs/pack.h"

#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <ctime>
#include <tuple>

#include "fs/detail/xattr.h"
#include "fs/walk.h"
#include "sys/file.h"

namespace berth::fs {

namespace {

bool is_whiteout(const struct ::stat& status) { return S_ISCHR(status.st_mode) && status.st_rdev == 0; }

bool has_vanished(const Error& error) {
  int number = error.errno_value();
  // ELOOP, ENOTDIR, ENXIO: it has become a symlink, another kind, or a socket.
  return number == ENOENT || number == ELOOP || number == ENOTDIR || number == ENXIO;
}

}  // namespace

Packer::Packer(Sink& sink, const PackOptions& options) : writer_(sink), options_(options), buffer_(256 << 10) {}

Result<void> Packer::add_directory(const std::string& path, std::uint32_t uid, std::uint32_t gid) {
  tar::Entry entry;
  entry.type = tar::Type::directory;
  entry.path = path + '/';
  entry.mode = 0755;
  entry.uid = uid;
  entry.gid = gid;
  ::clock_gettime(CLOCK_REALTIME, &entry.modified);
  return writer_.begin(entry);
}

Result<void> Packer::add_text(const std::string& path, std::string_view text) {
  tar::Entry entry;
  entry.path = path;
  entry.mode = 0644;
  return writer_.add(entry, text);
}

Result<void> Packer::add(int directory, const std::string& name, const std::string& path, const struct ::stat& status) {
  tar::Entry entry;
  entry.path = path;
  entry.mode = status.st_mode & 07777;
  entry.uid = own_id(status.st_uid);
  entry.gid = own_id(status.st_gid);
  entry.modified = status.st_mtim;
  if (options_.owner) std::tie(entry.uid, entry.gid) = *options_.owner;
  if (options_.mode && !S_ISLNK(status.st_mode)) entry.mode = *options_.mode;
  if (S_ISREG(status.st_mode)) return add_file(directory, name, std::move(entry), status);
  if (S_ISDIR(status.st_mode)) return add_directory(directory, name, std::move(entry));
  if (options_.whiteouts && is_whiteout(status)) return add_whiteout(path, std::move(entry));
  if (S_ISLNK(status.st_mode)) {
    char target[PATH_MAX];
    ssize_t length = ::readlinkat(directory, name.c_str(), target, sizeof target);
    if (length < 0) return errno == ENOENT || errno == EINVAL ? Result<void>() : fail_errno("read link " + path);
    entry.type = tar::Type::symlink;
    entry.link.assign(target, static_cast<std::size_t>(length));
  } else if (S_ISFIFO(status.st_mode)) {
    entry.type = tar::Type::fifo;
  } else if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode)) {
    entry.type = S_ISCHR(status.st_mode) ? tar::Type::character_device : tar::Type::block_device;
    entry.device_major = major(status.st_rdev);
    entry.device_minor = minor(status.st_rdev);
  } else {
    return {};  // a socket: it means nothing without its process
  }
  return writer_.begin(entry);
}

Result<void> Packer::add_file(int directory, const std::string& name, tar::Entry entry, const struct ::stat& status) {
  if (status.st_nlink > 1) {
    auto [first, is_new] = links_.try_emplace({status.st_dev, status.st_ino}, entry.path);
    if (!is_new) {
      entry.type = tar::Type::hard_link;
      entry.link = first->second;
      return writer_.begin(entry);
    }
  }
  auto file = sys::open_at(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOATIME);
  if (!file && file.error().errno_value() == EPERM)  // O_NOATIME wants the owner or CAP_FOWNER
    file = sys::open_at(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!file && has_vanished(file.error())) return {};
  if (!file) return std::unexpected(std::move(file).error());
  struct ::stat now{};
  if (::fstat(file->get(), &now) < 0) return fail_errno("stat " + entry.path);
  if (!S_ISREG(now.st_mode)) return {};
  entry.size = static_cast<std::uint64_t>(now.st_size);
  TRY(entry.xattrs, read_xattrs(file->get()));
  TRY_OK(writer_.begin(entry));
  return annotate(copy(file->get(), entry.size), "{}", entry.path);
}

Result<void> Packer::copy(int file, std::uint64_t size) {
  while (size > 0) {
    std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(size, buffer_.size()));
    ssize_t got = ::read(file, buffer_.data(), wanted);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read");
    std::size_t count = static_cast<std::size_t>(got);
    if (count == 0) {  // it has shrunk
      std::fill(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(wanted), '\0');
      count = wanted;
    }
    TRY_OK(writer_.write({buffer_.data(), count}));
    size -= count;
  }
  return {};
}

Result<void> Packer::add_directory(int directory, const std::string& name, tar::Entry entry) {
  auto self = sys::open_at(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!self && has_vanished(self.error())) return {};
  if (!self) return std::unexpected(std::move(self).error());
  entry.type = tar::Type::directory;
  entry.path += '/';
  TRY(entry.xattrs, read_xattrs(self->get()));
  TRY_OK(writer_.begin(entry));
  if (!options_.whiteouts || !is_overlay_opaque(self->get())) return {};
  tar::Entry mark;
  mark.path = entry.path + ".wh..wh..opq";
  mark.modified = entry.modified;
  return writer_.begin(mark);
}

Result<void> Packer::add_whiteout(const std::string& path, tar::Entry entry) {
  std::size_t slash = path.rfind('/');
  std::size_t name = slash == std::string::npos ? 0 : slash + 1;
  entry.path = path.substr(0, name) + ".wh." + path.substr(name);
  return writer_.begin(entry);
}

Result<void> pack(const RootDir& root, std::string_view path, Sink& sink, const PackOptions& options) {
  Packer packer(sink, options);
  TRY(struct ::stat status, root.lstat(path));
  if (!options.name.empty()) {
    std::string clean = clean_path(path);
    if (clean.empty()) {
      TRY_OK(packer.add(root.fd(), ".", options.name, status));
    } else {
      TRY(RootDir::Place place, root.locate(clean));
      TRY_OK(packer.add(place.directory.get(), place.name, options.name, status));
    }
    if (!S_ISDIR(status.st_mode)) return packer.finish();
  }
  TRY(sys::UniqueFd start, root.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  TRY_OK(walk(start.get(), [&](const Visit& visit) -> Result<Step> {
    if (options.skip && options.skip(visit.path)) return Step::over;
    std::string name = options.name.empty() ? visit.path : options.name + "/" + visit.path;
    TRY_OK(packer.add(visit.directory, visit.name, name, visit.status));
    return Step::into;
  }));
  return packer.finish();
}

}  // namespace berth::fs
