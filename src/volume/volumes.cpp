#include "volume/volumes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <utility>

#include "async/event.h"
#include "base/json.h"
#include "base/log.h"
#include "base/rollback.h"
#include "base/text.h"
#include "fs/tree.h"
#include "sys/file.h"
#include "volume/detail/copy_tree.h"

namespace berth::volume {

namespace {

// Names of volumes begin with a letter or digit, so these are free for what is half-made and half-removed.
constexpr char kNew[] = ".new-";
constexpr char kOld[] = ".old-";
constexpr char kData[] = "/_data";
constexpr char kRecord[] = "/volume.json";
// A copy under way, and one that is complete and being moved to _data.
constexpr char kFilling[] = "/_filling";
constexpr char kFilled[] = "/_filled";

Result<void> rename_path(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) < 0) return fail_errno(fmt::format("rename {} to {}", from, to));
  return {};
}

Result<bool> is_empty(const std::string& directory) {
  TRY(auto names, sys::list_directory(directory));
  return names.empty();
}

// Moves what a complete copy holds to _data and gives _data what the copy's directory has. Entries that an interrupted
// call has moved before are simply not there any more.
Result<void> finish_filling(const std::string& volume) {
  std::string filled = volume + kFilled;
  std::string data = volume + kData;
  TRY(sys::UniqueFd from, sys::open_file(filled, O_RDONLY | O_DIRECTORY));
  TRY(sys::UniqueFd to, sys::open_file(data, O_RDONLY | O_DIRECTORY));
  struct stat before{};
  if (::fstat(from.get(), &before) < 0) return fail_errno("stat " + filled);
  TRY(auto names, sys::list_directory(filled));
  for (const std::string& name : names) TRY_OK(rename_path(filled + "/" + name, data + "/" + name));
  // Of a directory that is empty by now, copy_tree copies just its own owner, mode and attributes.
  TRY_OK(copy_tree(from.get(), to.get()));
  timespec times[] = {before.st_atim, before.st_mtim};
  if (::futimens(to.get(), times) < 0) return fail_errno("set times of " + data);
  if (::rmdir(filled.c_str()) < 0) return fail_errno("remove " + filled);
  return {};
}

// A kill in the middle leaves either an empty volume beside _filling, or a complete copy in _filled: see repair().
Result<bool> fill(const std::string& volume, int source) {
  TRY(bool empty, is_empty(volume + kData));
  if (!empty) return false;
  std::string filling = volume + kFilling;
  Rollback rollback;
  rollback.push([&] { (void)fs::remove_tree(filling); });
  TRY_OK(sys::make_directory(filling, 0700));
  TRY(sys::UniqueFd target, sys::open_file(filling, O_RDONLY | O_DIRECTORY));
  TRY_OK(copy_tree(source, target.get()));
  TRY_OK(rename_path(filling, volume + kFilled));
  rollback.commit();
  TRY_OK(finish_filling(volume));
  return true;
}

Result<void> repair(const std::string& volume) {
  TRY_OK(fs::remove_tree(volume + kFilling));
  if (!sys::exists(volume + kFilled)) return {};
  return finish_filling(volume);
}

Result<void> check_driver(const VolumeSpec& spec) {
  if (spec.driver != "local" && !spec.driver.empty())
    return fail(ErrorCode::not_found, "create {}: error looking up volume plugin {}: plugin \"{}\" not found",
                spec.name, spec.driver, spec.driver);
  return {};
}

// The local driver takes the words of mount(8). What is mounted here is mounted by each container for itself, so a file
// system that several would share cannot be; a directory of the host's can.
Result<void> check_options(const VolumeSpec& spec) {
  if (spec.options.empty()) return {};
  auto option = [&spec](const char* key) {
    auto found = spec.options.find(key);
    return found == spec.options.end() ? std::string() : found->second;
  };
  for (const auto& [key, value] : spec.options) {
    if (key == "size") return fail(ErrorCode::unsupported, "create {}: quotas of volumes are not supported", spec.name);
    if (key != "type" && key != "o" && key != "device")
      return fail(ErrorCode::invalid, "create {}: invalid option: \"{}\"", spec.name, key);
  }
  for (const char* key : {"device", "type"})
    if (option(key).empty())
      return fail(ErrorCode::invalid, "create {}: missing required option: \"{}\"", spec.name, key);
  std::vector<std::string> words = split(option("o"), ',');
  bool bind = std::ranges::find(words, "bind") != words.end() || std::ranges::find(words, "rbind") != words.end();
  if ((option("type") != "none" && option("type") != "bind") || !bind)
    return fail(
        ErrorCode::unsupported,
        "create {}: volumes of type \"{}\" are not supported: only directories, by type=none, o=bind, device=PATH",
        spec.name, option("type"));
  for (const std::string& word : words)
    if (word != "bind" && word != "rbind" && word != "ro" && word != "rw")
      return fail(ErrorCode::unsupported, "create {}: the mount option \"{}\" is not supported", spec.name, word);
  if (!option("device").starts_with('/'))
    return fail(ErrorCode::invalid, "create {}: device wants an absolute path, not \"{}\"", spec.name,
                option("device"));
  return {};
}

}  // namespace

Result<void> check_name(std::string_view name) {
  if (name.size() == 1)
    return fail(ErrorCode::invalid,
                "create {}: volume name is too short, names should be at least two alphanumeric characters", name);
  auto is_plain = [](unsigned char c) { return std::isalnum(c) != 0; };
  bool good = !name.empty() && is_plain(static_cast<unsigned char>(name.front())) &&
              std::all_of(name.begin(), name.end(),
                          [&](unsigned char c) { return is_plain(c) || c == '_' || c == '.' || c == '-'; });
  if (!good)
    return fail(
        ErrorCode::invalid,
        "create {}: \"{}\" includes invalid characters for a local volume name, only "
        "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path",
        name, name);
  if (name.size() > NAME_MAX) return fail(ErrorCode::invalid, "create {}: volume name is too long", name);
  return {};
}

class Volumes::Impl {
 public:
  Impl(async::Loop& loop, std::string directory, Users users)
      : loop_(loop), directory_(std::move(directory)), users_(std::move(users)), filling_(loop) {}

  Result<void> load();
  Result<Volume> create(VolumeSpec spec);
  Result<Volume> find(std::string_view name) const;
  std::vector<Volume> list() const;
  async::Task<Result<void>> remove(std::string name);
  async::Task<Result<bool>> copy_up(std::string name, int source);
  async::Task<Result<std::uint64_t>> usage(std::string name);
  async::Task<Result<Pruned>> prune(std::function<bool(const Volume&)> choose);

 private:
  Result<void> load_one(const std::string& name);
  std::string path_of(std::string_view name) const { return fmt::format("{}/{}", directory_, name); }
  void insert(Volume volume) {
    volume.mountpoint = path_of(volume.name) + kData;
    std::string name = volume.name;
    volumes_.insert_or_assign(std::move(name), std::move(volume));
  }

  async::Loop& loop_;
  std::string directory_;
  Users users_;
  std::map<std::string, Volume, std::less<>> volumes_;
  async::Mutex filling_;  // two containers that start at once must not both find a volume empty
};

Result<void> Volumes::Impl::load() {
  TRY_OK(sys::ensure_directories(directory_, 0711));
  TRY(auto names, sys::list_directory(directory_));
  for (const std::string& name : names) {
    if (name.starts_with(kNew) || name.starts_with(kOld)) {
      TRY_OK(fs::remove_tree(path_of(name)));
      continue;
    }
    if (auto loaded = load_one(name); !loaded)
      // Whatever it is, it may be somebody's data: left alone.
      log::warning("volume unreadable", {{"volume", name}, {"error", loaded.error().text()}});
  }
  return {};
}

Result<void> Volumes::Impl::load_one(const std::string& name) {
  TRY_OK(check_name(name));
  TRY(std::string text, sys::read_file(path_of(name) + kRecord, 1 << 20));
  TRY(json::Value value, json::parse(text));
  TRY(Volume volume, json::decode<Volume>(value));
  if (volume.name != name) return fail(ErrorCode::invalid, "the record names another volume: \"{}\"", volume.name);
  TRY_OK(repair(path_of(name)));
  insert(std::move(volume));
  return {};
}

Result<Volume> Volumes::Impl::create(VolumeSpec spec) {
  bool anonymous = spec.name.empty();
  if (anonymous) spec.name = random_hex(32);
  TRY_OK(check_driver(spec));
  TRY_OK(check_name(spec.name));
  TRY_OK(check_options(spec));
  if (auto existing = volumes_.find(spec.name); existing != volumes_.end()) return existing->second;
  Volume volume{.name = std::move(spec.name),
                .driver = "local",
                .created = now(),
                .labels = std::move(spec.labels),
                .options = std::move(spec.options),
                .anonymous = anonymous};
  std::string half = path_of(kNew + random_hex(8));
  Rollback rollback;
  rollback.push([&] { (void)fs::remove_tree(half); });
  TRY_OK(sys::make_directory(half, 0711));
  TRY_OK(sys::make_directory(half + kData, 0755));
  TRY_OK(sys::replace_file(half + kRecord, json::print(json::encode(volume)), 0600, sys::Durability::power));
  TRY_OK(rename_path(half, path_of(volume.name)));
  rollback.commit();
  insert(volume);
  return volumes_.at(volume.name);
}

Result<Volume> Volumes::Impl::find(std::string_view name) const {
  auto found = volumes_.find(name);
  if (found == volumes_.end()) return fail(ErrorCode::not_found, "get {}: no such volume", name);
  return found->second;
}

std::vector<Volume> Volumes::Impl::list() const {
  std::vector<Volume> list;
  for (const auto& [name, volume] : volumes_) list.push_back(volume);
  return list;
}

async::Task<Result<void>> Volumes::Impl::remove(std::string name) {
  CO_TRY(Volume volume, find(name));
  if (std::vector<std::string> users = users_(name); !users.empty())
    co_return fail(ErrorCode::conflict, "remove {}: volume is in use - [{}]", name, join(users, ", "));
  std::string half = path_of(kOld + random_hex(8));
  CO_TRY_OK(rename_path(path_of(name), half));
  volumes_.erase(name);
  auto work = [half] { return fs::remove_tree(half); };
  co_return co_await loop_.blocking(std::move(work));
}

async::Task<Result<bool>> Volumes::Impl::copy_up(std::string name, int source) {
  async::Mutex::Lock lock = co_await filling_.lock();
  CO_TRY(Volume volume, find(name));
  if (!volume.options.empty()) co_return false;  // a directory of the host's is used as it is
  auto work = [path = path_of(name), source] { return fill(path, source); };
  co_return annotate(co_await loop_.blocking(std::move(work)), "fill volume {}", name);
}

async::Task<Result<std::uint64_t>> Volumes::Impl::usage(std::string name) {
  CO_TRY(Volume volume, find(name));
  auto work = [path = volume.mountpoint] { return fs::measure_tree(path); };
  CO_TRY(fs::TreeSize size, co_await loop_.blocking(std::move(work)));
  co_return size.bytes;
}

async::Task<Result<Volumes::Pruned>> Volumes::Impl::prune(std::function<bool(const Volume&)> choose) {
  Pruned pruned;
  for (const Volume& volume : list()) {
    if (!choose(volume) || !users_(volume.name).empty()) continue;
    auto bytes = co_await usage(volume.name);
    // Somebody may have taken or removed it meanwhile.
    if (auto removed = co_await remove(volume.name); !removed) continue;
    pruned.names.push_back(volume.name);
    pruned.bytes += bytes.value_or(0);
  }
  co_return pruned;
}

Volumes::Volumes(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Volumes::~Volumes() = default;

Result<std::unique_ptr<Volumes>> Volumes::open(async::Loop& loop, std::string state_dir, Users users) {
  auto impl = std::make_unique<Impl>(loop, std::move(state_dir), std::move(users));
  TRY_OK(annotate(impl->load(), "read the volumes"));
  return std::unique_ptr<Volumes>(new Volumes(std::move(impl)));
}

Result<Volume> Volumes::create(VolumeSpec spec) { return impl_->create(std::move(spec)); }
Result<Volume> Volumes::find(std::string_view name) const { return impl_->find(name); }
std::vector<Volume> Volumes::list() const { return impl_->list(); }
async::Task<Result<void>> Volumes::remove(std::string name) { return impl_->remove(std::move(name)); }
async::Task<Result<bool>> Volumes::copy_up(std::string name, int source) {
  return impl_->copy_up(std::move(name), source);
}
async::Task<Result<std::uint64_t>> Volumes::usage(std::string name) { return impl_->usage(std::move(name)); }
async::Task<Result<Volumes::Pruned>> Volumes::prune(std::function<bool(const Volume&)> choose) {
  return impl_->prune(std::move(choose));
}

}  // namespace berth::volume
