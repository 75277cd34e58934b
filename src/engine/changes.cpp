#include "engine/changes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <optional>

#include "engine/root_view.h"
#include "fs/pack.h"
#include "fs/root_dir.h"
#include "fs/walk.h"
#include "sys/file.h"

namespace berth::engine {

namespace {

// What the engine mounts in every container (engine/runtime_config.cpp, engine/run_files.cpp), below the root.
constexpr const char* kMounted[] = {
    "dev",    "proc",        "sys",     "etc/hosts", "etc/hostname", "etc/resolv.conf", "sbin/docker-init",
    ".berth", "dev/console", "dev/pts", "dev/shm",   "dev/mqueue"};

std::string parent_of(const std::string& path) {
  std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

std::optional<struct ::stat> stat_of(const std::string& path) {
  struct ::stat status{};
  if (::lstat(path.c_str(), &status) < 0) return {};
  return status;
}

bool is_whiteout(const struct ::stat& status) { return S_ISCHR(status.st_mode) && status.st_rdev == makedev(0, 0); }

// Finds the paths of the upper layer that are mount points only, and the directories that hold nothing else.
class Stubs {
 public:
  static Result<Stubs> find(const UpperLayer& upper) {
    Stubs stubs(upper);
    for (const char* path : kMounted) TRY_OK(stubs.consider(path));
    for (const std::string& path : upper.mounted) TRY_OK(stubs.consider(fs::clean_path(path)));
    return stubs;
  }
  bool contains(std::string_view path) const { return found_.contains(path); }

 private:
  explicit Stubs(const UpperLayer& upper) : upper_(upper), diff_(upper.directory + "/diff/") {}

  Result<void> consider(const std::string& path) {
    // A symlink on the way would lead out of the layer; the runtime resolved it when it made the mount point, so what
    // it made lies elsewhere and counts as a change.
    for (std::string up = parent_of(path); !up.empty(); up = parent_of(up)) {
      auto status = stat_of(diff_ + up);
      if (!status || !S_ISDIR(status->st_mode)) return {};
    }
    auto status = stat_of(diff_ + path);
    if (!status) return {};
    bool empty_file = S_ISREG(status->st_mode) && status->st_size == 0;
    if (!empty_file) {
      if (!S_ISDIR(status->st_mode)) return {};
      TRY(bool empty, holds_only_stubs(path));
      if (!empty) return {};
    }
    found_.insert(path);
    return consider_parents(parent_of(path));
  }

  Result<void> consider_parents(std::string path) {
    for (; !path.empty(); path = parent_of(path)) {
      auto status = stat_of(diff_ + path);
      if (!status || !same_as_below(path, *status)) return {};
      TRY(bool only_stubs, holds_only_stubs(path));
      if (!only_stubs) return {};
      found_.insert(path);
    }
    return {};
  }

  Result<bool> holds_only_stubs(const std::string& path) const {
    TRY(std::vector<std::string> names, sys::list_directory(diff_ + path));
    for (const std::string& name : names)
      if (!found_.contains(path + "/" + name)) return false;
    return true;
  }

  // Whether the layers below have this directory with the same owner and mode, or nothing at all there.
  bool same_as_below(const std::string& path, const struct ::stat& status) const {
    for (auto layer = upper_.layers.rbegin(); layer != upper_.layers.rend(); ++layer) {
      auto below = stat_of(*layer + "/" + path);
      if (below)
        return below->st_mode == status.st_mode && below->st_uid == status.st_uid && below->st_gid == status.st_gid;
    }
    return true;
  }

  const UpperLayer& upper_;
  std::string diff_;
  std::set<std::string, std::less<>> found_;
};

bool same_time(const timespec& a, const timespec& b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; }

// Collects changes in the order of a walk; a parent is told before its first changed child.
class ChangeList {
 public:
  explicit ChangeList(const fs::RootDir* image) : image_(image) {}

  void visit(const fs::Visit& visit) {
    while (!parents_.empty() && !is_below(visit.path, parents_.back().path)) parents_.pop_back();
    PathChange change{"/" + visit.path, kind_of(visit)};
    if (S_ISDIR(visit.status.st_mode)) {
      parents_.push_back({visit.path, change, false});
      if (change.kind != ChangeKind::modified || is_touched(visit)) tell_parents();
      return;
    }
    tell_parents();
    changes_.push_back(std::move(change));
  }
  std::vector<PathChange> take() { return std::move(changes_); }

 private:
  struct Parent {
    std::string path;
    PathChange change;
    bool told = false;
  };

  static bool is_below(std::string_view path, std::string_view parent) {
    return path.size() > parent.size() && path.starts_with(parent) && path[parent.size()] == '/';
  }
  ChangeKind kind_of(const fs::Visit& visit) const {
    if (is_whiteout(visit.status)) return ChangeKind::deleted;
    return image_ != nullptr && image_->lstat(visit.path) ? ChangeKind::modified : ChangeKind::added;
  }
  // A directory is copied up for the sake of what is in it; of its own it has changed when its time has.
  bool is_touched(const fs::Visit& visit) const {
    auto below = image_->lstat(visit.path);
    return !below || !same_time(below->st_mtim, visit.status.st_mtim) || below->st_mode != visit.status.st_mode ||
           below->st_uid != visit.status.st_uid || below->st_gid != visit.status.st_gid;
  }
  void tell_parents() {
    for (Parent& parent : parents_) {
      if (!parent.told) changes_.push_back(parent.change);
      parent.told = true;
    }
  }

  const fs::RootDir* image_;
  std::vector<Parent> parents_;
  std::vector<PathChange> changes_;
};

}  // namespace

Result<std::vector<PathChange>> list_changes(const UpperLayer& upper) {
  TRY(Stubs stubs, Stubs::find(upper));
  std::optional<fs::RootDir> image;
  if (!upper.layers.empty()) {
    TRY(sys::UniqueFd view, open_image_view(upper.layers));
    image.emplace(std::move(view));
  }
  ChangeList changes(image ? &*image : nullptr);
  TRY(sys::UniqueFd diff, sys::open_file(upper.directory + "/diff", O_RDONLY | O_DIRECTORY));
  TRY_OK(fs::walk(diff.get(), [&](const fs::Visit& visit) -> Result<fs::Step> {
    if (stubs.contains(visit.path)) return fs::Step::over;
    changes.visit(visit);
    return fs::Step::into;
  }));
  return changes.take();
}

Result<void> pack_changes(const UpperLayer& upper, fs::Sink& sink) {
  TRY(Stubs stubs, Stubs::find(upper));
  TRY(fs::RootDir diff, fs::RootDir::open_host(upper.directory + "/diff"));
  fs::PackOptions options{.whiteouts = true};
  options.skip = [&stubs](std::string_view path) { return stubs.contains(path); };
  return fs::pack(diff, "", sink, options);
}

}  // namespace berth::engine
