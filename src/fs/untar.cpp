#include "fs/untar.h"

#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "fs/detail/xattr.h"
#include "fs/tree.h"
#include "sys/file.h"

namespace berth::fs {

namespace {

constexpr std::string_view kWhiteout = ".wh.";
constexpr std::string_view kWhiteoutMeta = ".wh..wh.";
constexpr std::string_view kOpaque = ".wh..wh..opq";

class Unpacker {
 public:
  Unpacker(Source& source, const RootDir& root, const UntarOptions& options)
      : reader_(source, {.limits = options.limits, .raw = options.raw}),
        root_(root),
        options_(options),
        buffer_(256 << 10) {}

  Result<UntarReport> run();

 private:
  struct Parent {
    std::string path;
    sys::UniqueFd directory;
  };
  struct DirectoryTime {
    std::string path;
    timespec modified;
  };

  Result<void> apply(tar::Entry& entry);
  Result<bool> apply_whiteout(int parent, const std::string& parent_path, const std::string& name);
  Result<void> make(int parent, const std::string& name, const tar::Entry& entry);
  Result<void> make_file(int parent, const std::string& name, const tar::Entry& entry);
  Result<void> fill(int file, const tar::Entry& entry);
  Result<void> fill_extent(int file, tar::Extent extent);
  Result<void> make_directory(int parent, const std::string& name, const std::string& path, const tar::Entry& entry);
  Result<void> make_link(int parent, const std::string& name, const tar::Entry& entry);
  Result<void> make_node(int parent, const std::string& name, const tar::Entry& entry, mode_t kind, dev_t device);
  Result<void> clear_way(int parent, const std::string& name, bool for_directory);
  Result<int> parent_of(const std::string& path);
  Result<sys::UniqueFd> open_parent(const std::string& path);
  Result<void> make_parents(const std::string& path);
  Result<void> set_directory_times();
  Result<void> count_entry();
  Result<void> hold(const std::string& path);

  uid_t owner(const tar::Entry& entry) const {
    return (options_.owner ? options_.owner->first : entry.uid) + options_.id_base;
  }
  gid_t group(const tar::Entry& entry) const {
    return (options_.owner ? options_.owner->second : entry.gid) + options_.id_base;
  }

  tar::Reader reader_;
  const RootDir& root_;
  const UntarOptions& options_;
  UntarReport report_;
  std::uint64_t made_parents_ = 0;
  std::uint64_t held_bytes_ = 0;  // of directories_ and report_.opaque
  std::vector<char> buffer_;
  Parent parent_;  // of the last entry: the next one is mostly its neighbour
  // A directory's time is set at the end: what is made in it would change it again.
  std::vector<DirectoryTime> directories_;
};

Result<UntarReport> Unpacker::run() {
  while (true) {
    TRY(std::optional<tar::Entry> entry, reader_.next());
    if (!entry) break;
    ++report_.entries;
    TRY_OK(count_entry());
    std::string path = entry->path;
    TRY_OK(annotate(apply(*entry), "{}", path));
  }
  TRY_OK(set_directory_times());
  return std::move(report_);
}

// Directories that the archive does not mention count too: a short archive may mean very many.
Result<void> Unpacker::count_entry() {
  if (report_.entries + made_parents_ <= options_.max_entries) return {};
  return fail(ErrorCode::exhausted, "the archive has more than {} entries", options_.max_entries);
}

// What is remembered to the end is paid for: a path of 4000 bytes, said a million times, compresses to nothing.
Result<void> Unpacker::hold(const std::string& path) {
  held_bytes_ += path.size() + sizeof(DirectoryTime);
  if (held_bytes_ <= options_.max_held_bytes) return {};
  return fail(ErrorCode::exhausted, "the names of the archive's directories are longer than {} bytes together",
              options_.max_held_bytes);
}

Result<void> Unpacker::apply(tar::Entry& entry) {
  if (entry.path.find('\0') != std::string::npos || entry.link.find('\0') != std::string::npos)
    return fail(ErrorCode::invalid, "a name holds a NUL byte");
  std::string path = clean_path(entry.path);
  if (path.empty()) {
    if (entry.type != tar::Type::directory) return fail(ErrorCode::invalid, "the root can only be a directory");
    return make_directory(root_.fd(), ".", "", entry);
  }
  std::size_t slash = path.rfind('/');
  std::string parent_path = slash == std::string::npos ? std::string() : path.substr(0, slash);
  std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  bool is_device = entry.type == tar::Type::character_device || entry.type == tar::Type::block_device;
  if (is_device && !options_.make_devices) {
    ++report_.skipped_devices;
    return {};
  }
  TRY(int parent, parent_of(parent_path));
  if (options_.whiteouts == Whiteouts::overlay) {
    TRY(bool done, apply_whiteout(parent, parent_path, name));
    if (done) {
      // Such content is kept nowhere, so it would be missing from the stream made again.
      report_.overlapping |= entry.size > 0;
      return {};
    }
  }
  if (entry.type == tar::Type::directory) return make_directory(parent, name, path, entry);
  return make(parent, name, entry);
}

Result<bool> Unpacker::apply_whiteout(int parent, const std::string& parent_path, const std::string& name) {
  if (!name.starts_with(kWhiteout)) return false;
  if (name == kOpaque) {
    TRY_OK(hold(parent_path));
    report_.opaque.push_back(parent_path);
    return true;
  }
  if (name.starts_with(kWhiteoutMeta)) return true;  // aufs's own book-keeping
  std::string hidden = name.substr(kWhiteout.size());
  if (hidden.empty() || hidden == "." || hidden == "..") return fail(ErrorCode::invalid, "a whiteout of nothing");
  if (::mknodat(parent, hidden.c_str(), S_IFCHR, makedev(0, 0)) == 0) return true;
  if (errno != EEXIST) return fail_errno("make a whiteout");
  TRY_OK(clear_way(parent, hidden, false));
  if (::mknodat(parent, hidden.c_str(), S_IFCHR, makedev(0, 0)) < 0) return fail_errno("make a whiteout");
  return true;
}

Result<sys::UniqueFd> Unpacker::open_parent(const std::string& path) {
  auto direct = root_.open_beneath(path.empty() ? "." : path, O_PATH | O_DIRECTORY);
  if (direct || direct.error().errno_value() != ELOOP) return direct;
  report_.overlapping = true;
  return root_.open(path, O_PATH | O_DIRECTORY);
}

// Makes the directories that the archive does not mention.
Result<void> Unpacker::make_parents(const std::string& path) {
  TRY(sys::UniqueFd at, root_.open("", O_PATH | O_DIRECTORY));
  for (const std::string& part : split(path, '/')) {
    if (::mkdirat(at.get(), part.c_str(), 0755) == 0) {
      ++made_parents_;
      TRY_OK(count_entry());
    } else if (errno != EEXIST) {
      return fail_errno("mkdir");
    }
    auto next = sys::open_at(at.get(), part, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    // A symlink on the way: what it means is to be resolved from the root.
    if (!next) return root_.ensure_directories(path, 0755);
    at = std::move(*next);
  }
  return {};
}

Result<int> Unpacker::parent_of(const std::string& path) {
  if (parent_.directory && parent_.path == path) return parent_.directory.get();
  auto directory = open_parent(path);
  if (!directory && directory.error().errno_value() == ENOENT) {
    TRY_OK(make_parents(path));
    directory = open_parent(path);
  }
  if (!directory) return std::unexpected(std::move(directory).error());
  parent_ = {path, std::move(*directory)};
  return parent_.directory.get();
}

// Removes what has the name, so that the entry can be made anew.
Result<void> Unpacker::clear_way(int parent, const std::string& name, bool for_directory) {
  struct ::stat status{};
  if (::fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0)
    return errno == ENOENT ? Result<void>() : fail_errno("stat");
  bool is_directory = S_ISDIR(status.st_mode);
  if (options_.keep_kinds && is_directory != for_directory)
    return fail(ErrorCode::invalid, "cannot overwrite {} with {}", is_directory ? "directory" : "non-directory",
                for_directory ? "directory" : "non-directory");
  report_.overlapping = true;
  // The cached parent may be below what goes; the caller's `parent` is the cached one itself and stays open.
  if (is_directory) parent_.path.assign("/");
  return remove_tree_at(parent, name);
}

Result<void> Unpacker::make(int parent, const std::string& name, const tar::Entry& entry) {
  switch (entry.type) {
    case tar::Type::file:
      return make_file(parent, name, entry);
    case tar::Type::hard_link:
      return make_link(parent, name, entry);
    case tar::Type::fifo:
      return make_node(parent, name, entry, S_IFIFO, 0);
    case tar::Type::character_device:
      return make_node(parent, name, entry, S_IFCHR, makedev(entry.device_major, entry.device_minor));
    case tar::Type::block_device:
      return make_node(parent, name, entry, S_IFBLK, makedev(entry.device_major, entry.device_minor));
    case tar::Type::symlink:
      break;
    case tar::Type::directory:
      return fail(ErrorCode::internal, "a directory is made elsewhere");
  }
  if (entry.link.empty()) return fail(ErrorCode::invalid, "a symlink to nothing");
  if (::symlinkat(entry.link.c_str(), parent, name.c_str()) < 0) {
    if (errno != EEXIST) return fail_errno("symlink");
    TRY_OK(clear_way(parent, name, false));
    if (::symlinkat(entry.link.c_str(), parent, name.c_str()) < 0) return fail_errno("symlink");
  }
  if (::fchownat(parent, name.c_str(), owner(entry), group(entry), AT_SYMLINK_NOFOLLOW) < 0) return fail_errno("chown");
  timespec times[2] = {entry.modified, entry.modified};
  if (::utimensat(parent, name.c_str(), times, AT_SYMLINK_NOFOLLOW) < 0) return fail_errno("set time");
  return {};
}

Result<void> Unpacker::make_file(int parent, const std::string& name, const tar::Entry& entry) {
  if (entry.size > options_.max_bytes - report_.bytes)
    return fail(ErrorCode::exhausted, "the archive holds more than {} bytes", options_.max_bytes);
  report_.bytes += entry.size;
  constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
  auto file = sys::open_at(parent, name, kFlags, 0600);
  if (!file && file.error().errno_value() == EEXIST) {
    TRY_OK(clear_way(parent, name, false));
    file = sys::open_at(parent, name, kFlags, 0600);
  }
  if (!file) return std::unexpected(std::move(file).error());
  TRY_OK(fill(file->get(), entry));
  // Chown clears setuid bits and capabilities, so it goes first.
  if (::fchown(file->get(), owner(entry), group(entry)) < 0) return fail_errno("chown");
  if (::fchmod(file->get(), entry.mode) < 0) return fail_errno("chmod");
  TRY_OK(write_xattrs(file->get(), entry.xattrs));
  timespec times[2] = {entry.modified, entry.modified};
  if (::futimens(file->get(), times) < 0) return fail_errno("set time");
  return {};
}

Result<void> Unpacker::fill(int file, const tar::Entry& entry) {
  if (!entry.sparse) return fill_extent(file, {0, entry.size});
  if (::ftruncate(file, static_cast<off_t>(entry.size)) < 0) return fail_errno("make a sparse file");
  for (const tar::Extent& extent : entry.extents) TRY_OK(fill_extent(file, extent));
  return {};
}

Result<void> Unpacker::fill_extent(int file, tar::Extent extent) {
  if (extent.offset > 0 && ::lseek(file, static_cast<off_t>(extent.offset), SEEK_SET) < 0) return fail_errno("seek");
  while (extent.length > 0) {
    std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(extent.length, buffer_.size()));
    TRY(std::size_t got, reader_.read(std::span<char>(buffer_).first(wanted)));
    if (got == 0) return fail(ErrorCode::internal, "the archive's sizes do not add up");
    TRY_OK(sys::write_all(file, {buffer_.data(), got}));
    extent.length -= got;
  }
  return {};
}

Result<void> Unpacker::make_directory(int parent, const std::string& name, const std::string& path,
                                      const tar::Entry& entry) {
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
  if (name != "." && ::mkdirat(parent, name.c_str(), 0700) < 0 && errno != EEXIST) return fail_errno("mkdir");
  auto self = sys::open_at(parent, name, kFlags);
  if (!self && (self.error().errno_value() == ENOTDIR || self.error().errno_value() == ELOOP)) {
    TRY_OK(clear_way(parent, name, true));
    if (::mkdirat(parent, name.c_str(), 0700) < 0) return fail_errno("mkdir");
    self = sys::open_at(parent, name, kFlags);
  }
  if (!self) return std::unexpected(std::move(self).error());
  if (::fchown(self->get(), owner(entry), group(entry)) < 0) return fail_errno("chown");
  if (::fchmod(self->get(), entry.mode) < 0) return fail_errno("chmod");
  TRY_OK(write_xattrs(self->get(), entry.xattrs));
  TRY_OK(hold(path));
  directories_.push_back({path, entry.modified});
  return {};
}

Result<void> Unpacker::make_link(int parent, const std::string& name, const tar::Entry& entry) {
  auto target = root_.locate(clean_path(entry.link));
  if (!target) return std::unexpected(std::move(target).error().with("hard link to " + entry.link));
  auto link = [&] { return ::linkat(target->directory.get(), target->name.c_str(), parent, name.c_str(), 0) == 0; };
  if (link()) return {};
  if (errno != EEXIST) return fail_errno("hard link to " + entry.link);
  struct ::stat ours{}, theirs{};
  // A link to itself would be removed by making way for it.
  if (::fstatat(parent, name.c_str(), &ours, AT_SYMLINK_NOFOLLOW) == 0 &&
      ::fstatat(target->directory.get(), target->name.c_str(), &theirs, AT_SYMLINK_NOFOLLOW) == 0 &&
      ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino)
    return {};
  TRY_OK(clear_way(parent, name, false));
  if (!link()) return fail_errno("hard link to " + entry.link);
  return {};
}

Result<void> Unpacker::make_node(int parent, const std::string& name, const tar::Entry& entry, mode_t kind,
                                 dev_t device) {
  if (::mknodat(parent, name.c_str(), kind | 0600, device) < 0) {
    if (errno != EEXIST) return fail_errno("mknod");
    TRY_OK(clear_way(parent, name, false));
    if (::mknodat(parent, name.c_str(), kind | 0600, device) < 0) return fail_errno("mknod");
  }
  // O_PATH: opening a fifo or device for real could block or act. fchmod refuses such descriptors, /proc does not.
  TRY(sys::UniqueFd self, sys::open_at(parent, name, O_PATH | O_NOFOLLOW));
  if (::fchownat(self.get(), "", owner(entry), group(entry), AT_EMPTY_PATH) < 0) return fail_errno("chown");
  struct ::stat status{};
  if (::fstat(self.get(), &status) < 0) return fail_errno("stat");
  if ((status.st_mode & S_IFMT) != kind) return fail(ErrorCode::busy, "it was replaced meanwhile");
  std::string by_fd = fmt::format("/proc/self/fd/{}", self.get());
  if (::chmod(by_fd.c_str(), entry.mode) < 0) {
    // Without /proc, as in the extractor's own root, there is nobody to swap the name either.
    if (errno != ENOENT || ::fchmodat(parent, name.c_str(), entry.mode, 0) < 0) return fail_errno("chmod");
  }
  timespec times[2] = {entry.modified, entry.modified};
  if (::utimensat(parent, name.c_str(), times, AT_SYMLINK_NOFOLLOW) < 0) return fail_errno("set time");
  return {};
}

Result<void> Unpacker::set_directory_times() {
  for (auto directory = directories_.rbegin(); directory != directories_.rend(); ++directory) {
    auto self = root_.open(directory->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!self) continue;  // a later entry has replaced it
    timespec times[2] = {directory->modified, directory->modified};
    if (::futimens(self->get(), times) < 0) return fail_errno("set time of " + directory->path);
  }
  return {};
}

}  // namespace

Result<UntarReport> untar(Source& source, const RootDir& root, const UntarOptions& options) {
  return Unpacker(source, root, options).run();
}

}  // namespace berth::fs
