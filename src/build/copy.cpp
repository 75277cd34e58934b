#include "build/copy.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/text.h"
#include "engine/users.h"
#include "fs/digest.h"
#include "fs/pack.h"
#include "fs/pattern.h"
#include "fs/walk.h"
#include "sys/file.h"

namespace berth::build {

namespace {

bool has_wildcards(std::string_view path) {
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '\\') {
      ++i;
    } else if (path[i] == '*' || path[i] == '?' || path[i] == '[') {
      return true;
    }
  }
  return false;
}

std::string without_escapes(std::string_view path) {
  std::string plain;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '\\' && i + 1 < path.size()) ++i;
    plain += path[i];
  }
  return plain;
}

std::string last_part(std::string_view path) { return std::string(path.substr(path.rfind('/') + 1)); }

std::string parent_of(const std::string& path) {
  std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

bool leads_out(std::string_view path) {
  int depth = 0;
  for (const std::string& part : split(path, '/')) {
    if (part == "..")
      --depth;
    else if (!part.empty() && part != ".")
      ++depth;
    if (depth < 0) return true;
  }
  return false;
}

Result<CopySource> find_source(const SourceQuery& query, const std::string& path) {
  std::string clean = fs::clean_path(path);
  TRY(std::string resolved, query.root->resolve(clean));
  auto status = query.root->lstat(resolved);
  if (!status) {
    if (status.error().code() != ErrorCode::not_found && status.error().errno_value() != ENOTDIR)
      return std::unexpected(std::move(status).error());
    return fail(ErrorCode::not_found, "{} failed: {}stat {}: file does not exist", query.instruction,
                query.root_is_context ? "file not found in build context or excluded by .dockerignore: " : "", clean);
  }
  return CopySource{query.root, resolved, last_part(clean), S_ISDIR(status->st_mode)};
}

Result<void> find_matches(const SourceQuery& query, const std::string& pattern, std::vector<CopySource>& found) {
  std::string clean = fs::clean_path(pattern);
  TRY_OK(fs::matches_path(clean, ""));
  std::vector<std::string> paths;
  TRY(sys::UniqueFd top, query.root->open("/", O_RDONLY | O_DIRECTORY));
  auto parts = std::count(clean.begin(), clean.end(), '/');
  TRY_OK(fs::walk(top.get(), [&](const fs::Visit& visit) -> Result<fs::Step> {
    TRY(bool matches, fs::matches_path(clean, visit.path));
    if (matches) paths.push_back(visit.path);
    // No wildcard crosses a slash.
    return std::count(visit.path.begin(), visit.path.end(), '/') < parts ? fs::Step::into : fs::Step::over;
  }));
  for (const std::string& path : paths) {
    TRY(CopySource source, find_source(query, path));
    found.push_back(std::move(source));
  }
  return {};
}

}  // namespace

Result<std::vector<CopySource>> resolve_sources(const SourceQuery& query) {
  std::vector<CopySource> found;
  for (const std::string& pattern : query.patterns) {
    if (leads_out(pattern))
      return fail(ErrorCode::invalid, "{} failed: forbidden path outside the build context: {} ()", query.instruction,
                  pattern);
    if (has_wildcards(pattern)) {
      TRY_OK(find_matches(query, pattern, found));
    } else {
      TRY(CopySource source, find_source(query, without_escapes(pattern)));
      found.push_back(std::move(source));
    }
  }
  if (found.empty()) return fail(ErrorCode::invalid, "{} failed: no source files were specified", query.instruction);
  return found;
}

Result<bool> may_be_archive(const CopySource& source) {
  constexpr std::array<std::string_view, 4> kMagic = {std::string_view("\x1f\x8b\x08", 3), std::string_view("BZh", 3),
                                                      std::string_view("\xfd"
                                                                       "7zXZ\0",
                                                                       6),
                                                      std::string_view("\x28\xb5\x2f\xfd", 4)};
  constexpr std::size_t kMagicOffset = 257;
  if (source.is_directory) return false;
  TRY(sys::UniqueFd file, source.root->open(source.path, O_RDONLY | O_NOFOLLOW));
  std::array<char, 512> block{};
  fs::FdSource from(file.get());
  TRY(std::size_t got, fs::read_full(from, block));
  std::string_view text(block.data(), got);
  for (std::string_view magic : kMagic)
    if (text.starts_with(magic)) return true;
  return text.size() == block.size() && text.substr(kMagicOffset).starts_with("ustar");
}

namespace {

// Gathers the entries of a plan.
class Planner {
 public:
  Planner(const RootPtr& image, CopyOptions options) : image_(image) { plan_.options = std::move(options); }

  Result<void> add(const CopySource& source, const std::string& target);
  Result<CopyPlan> finish(const std::vector<CopySource>& sources);
  // Where the path leads in the image, symlinks followed; relative and clean.
  Result<std::string> place_of(const std::string& path) const {
    if (!image_) return fs::clean_path(path);
    TRY(std::string resolved, image_->resolve(path));
    return resolved.substr(1);
  }
  bool image_has_directory(const std::string& path) const {
    if (path.empty()) return true;
    if (!image_) return false;
    auto status = image_->lstat(path);
    return status && S_ISDIR(status->st_mode);
  }
  Result<void> add_missing_directories(std::string path);

 private:
  Result<void> add_tree(const CopySource& source, const std::string& target);
  void put(const std::string& target, CopyEntry entry);
  Result<std::string> digest_of(const std::vector<CopySource>& sources) const;
  Result<void> note_parents();

  RootPtr image_;
  CopyPlan plan_;
};

// A file in place of a directory takes what was below it along, and the other way round.
void Planner::put(const std::string& target, CopyEntry entry) {
  if (!S_ISDIR(entry.status.st_mode)) {
    std::string below = target + "/";
    auto first = plan_.entries.lower_bound(below);
    auto last = first;
    while (last != plan_.entries.end() && last->first.starts_with(below)) ++last;
    plan_.entries.erase(first, last);
  }
  for (std::string up = parent_of(target); !up.empty(); up = parent_of(up)) {
    auto above = plan_.entries.find(up);
    if (above != plan_.entries.end() && !S_ISDIR(above->second.status.st_mode)) plan_.entries.erase(above);
  }
  plan_.entries[target] = std::move(entry);
}

Result<void> Planner::add_tree(const CopySource& source, const std::string& target) {
  TRY(sys::UniqueFd top, source.root->open(source.path, O_RDONLY | O_DIRECTORY));
  std::string prefix = target.empty() ? "" : target + "/";
  std::string base = source.path == "/" ? "" : source.path;
  return fs::walk(top.get(), [&](const fs::Visit& visit) -> Result<fs::Step> {
    // Sockets and devices mean nothing in an image.
    mode_t kind = visit.status.st_mode & S_IFMT;
    if (kind == S_IFSOCK || kind == S_IFCHR || kind == S_IFBLK) return fs::Step::over;
    put(prefix + visit.path, {source.root, base + "/" + visit.path, visit.status, source.keeps_owner});
    return fs::Step::into;
  });
}

Result<void> Planner::add(const CopySource& source, const std::string& target) {
  TRY(std::string place, place_of(target));
  if (source.is_directory) {
    if (!place.empty() && !image_has_directory(place)) TRY_OK(add_missing_directories(place));
    return add_tree(source, place);
  }
  bool into = plan_.options.target_is_directory || target.ends_with('/') || image_has_directory(place);
  if (into) {
    TRY(place, place_of(target + "/" + source.name));
  }
  if (place.empty()) return fail(ErrorCode::invalid, "cannot copy to non-directory: {}", target);
  TRY(struct ::stat status, source.root->lstat(source.path));
  put(place, {source.root, source.path, status, false});
  return {};
}

// Names the directories above `path`, and itself, that will be there only because of it.
Result<void> Planner::add_missing_directories(std::string path) {
  for (; !path.empty() && !image_has_directory(path); path = parent_of(path))
    if (!plan_.entries.contains(path)) plan_.directories.push_back(path);
  return {};
}

Result<void> Planner::note_parents() {
  std::set<std::string> seen;
  auto note = [&](std::string path) {
    for (path = parent_of(path); !path.empty() && seen.insert(path).second; path = parent_of(path)) {
      if (plan_.entries.contains(path)) continue;
      (image_has_directory(path) ? plan_.image_directories : plan_.directories).push_back(path);
    }
  };
  for (const auto& [target, entry] : plan_.entries) note(target);
  for (const std::string& directory : std::vector<std::string>(plan_.directories)) note(directory);
  for (auto* list : {&plan_.directories, &plan_.image_directories}) {
    std::erase_if(*list, [this](const std::string& path) { return plan_.entries.contains(path); });
    std::sort(list->begin(), list->end());
    list->erase(std::unique(list->begin(), list->end()), list->end());
  }
  return {};
}

Result<std::string> content_hash(const CopyEntry& entry) {
  if (S_ISLNK(entry.status.st_mode)) return entry.root->read_link(entry.path);
  if (!S_ISREG(entry.status.st_mode)) return std::string();
  TRY(sys::UniqueFd file, entry.root->open(entry.path, O_RDONLY | O_NOFOLLOW));
  return fs::sha256_hex_of(file.get());
}

// Names, kinds, modes and content count; times do not, as for Docker: a fresh checkout must hit the cache.
Result<std::string> Planner::digest_of(const std::vector<CopySource>& sources) const {
  fs::Sha256 hash;
  auto add = [&hash](std::string_view text) { hash.update(fmt::format("{}:{}\n", text.size(), text)); };
  for (const auto& [target, entry] : plan_.entries) {
    TRY(std::string content, content_hash(entry));
    add(target);
    add(fmt::format("{:o}", entry.status.st_mode));
    if (entry.keeps_owner) add(fmt::format("{}:{}", entry.status.st_uid, entry.status.st_gid));
    add(content);
  }
  for (const std::string& directory : plan_.directories) add(directory);
  if (plan_.options.mode) add(fmt::format("mode {:o}", *plan_.options.mode));
  std::string_view kind = sources.size() > 1                                 ? "multi"
                          : !sources.empty() && sources.front().is_directory ? "dir"
                                                                             : "file";
  return fmt::format("{}:{}", kind, hash.hex());
}

Result<CopyPlan> Planner::finish(const std::vector<CopySource>& sources) {
  TRY_OK(note_parents());
  TRY(plan_.digest, digest_of(sources));
  return std::move(plan_);
}

}  // namespace

Result<CopyPlan> plan_copy(const std::vector<CopySource>& sources, const RootPtr& image, CopyOptions options) {
  std::string target = options.target;
  if (sources.size() > 1 && !target.ends_with('/'))
    return fail(ErrorCode::invalid,
                "When using {} with more than one source file, the destination must be a directory and end with a /",
                options.instruction);
  options.target_is_directory |= sources.size() > 1;
  Planner planner(image, std::move(options));
  for (const CopySource& source : sources) TRY_OK(planner.add(source, target));
  return planner.finish(sources);
}

Result<CopyPlan> plan_directory(const std::string& path, const RootPtr& image) {
  Planner planner(image, {});
  TRY(std::string place, planner.place_of(path));
  TRY_OK(planner.add_missing_directories(place));
  return planner.finish({});
}

namespace {

// The entries of one owner rule: a packer has one set of options.
class LayerWriter {
 public:
  LayerWriter(const CopyPlan& plan, const RootPtr& image, fs::Sink& sink)
      : plan_(plan),
        image_(image),
        copied_{.owner = plan.options.owner.value_or(Owner(0, 0)), .mode = plan.options.mode},
        packer_(sink, options_) {}

  Result<void> write() {
    // In the order of paths, a parent before its children, whatever it is made from.
    std::map<std::string, const CopyEntry*> all;
    for (const std::string& path : plan_.directories) all[path] = nullptr;
    for (const std::string& path : plan_.image_directories) all[path] = nullptr;
    for (const auto& [path, entry] : plan_.entries) all[path] = &entry;
    std::set<std::string_view> kept(plan_.image_directories.begin(), plan_.image_directories.end());
    for (const auto& [path, entry] : all) {
      if (entry != nullptr) {
        TRY_OK(annotate(add(path, *entry), "{}", path));
      } else if (kept.contains(path)) {
        TRY_OK(add_kept(path));
      } else {
        TRY_OK(packer_.add_directory(path, copied_.owner->first, copied_.owner->second));
      }
    }
    return packer_.finish();
  }

 private:
  Result<void> add(const std::string& path, const CopyEntry& entry) {
    options_ = entry.keeps_owner ? fs::PackOptions{} : copied_;
    return add_from(*entry.root, entry.path, path, entry.status);
  }
  // Overlay shows the topmost layer's owner and mode of a directory: they must be those that the image has.
  Result<void> add_kept(const std::string& path) {
    options_ = {};
    TRY(struct ::stat status, image_->lstat(path));
    return add_from(*image_, path, path, status);
  }
  Result<void> add_from(const fs::RootDir& root, const std::string& from, const std::string& path,
                        const struct ::stat& status) {
    TRY(fs::RootDir::Place place, root.locate(from));
    return packer_.add(place.directory.get(), place.name, path, status);
  }

  const CopyPlan& plan_;
  RootPtr image_;
  fs::PackOptions copied_;
  fs::PackOptions options_;
  fs::Packer packer_;
};

}  // namespace

Result<void> write_copy(const CopyPlan& plan, const RootPtr& image, fs::Sink& sink) {
  return LayerWriter(plan, image, sink).write();
}

Result<Owner> find_owner(std::string_view text, const RootPtr& image) {
  auto file = [&](const char* path) {
    auto content = image ? image->read_file(path) : Result<std::string>("");
    return content ? *content : std::string();
  };
  std::string asked(text);
  if (asked.find(':') == std::string::npos) asked += ":" + asked;
  auto user = engine::resolve_user(asked, {}, file("etc/passwd"), file("etc/group"));
  if (!user)
    return std::unexpected(std::move(user).error().with("unable to convert uid/gid chown string to host mapping"));
  return Owner(user->uid, user->gid);
}

}  // namespace berth::build
