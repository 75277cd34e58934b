#include "engine/cgroup.h"

#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <sstream>

#include "base/text.h"
#include "sys/file.h"
#include "sys/process.h"

namespace berth::engine {

std::vector<std::string> CgroupLayout::hierarchies() const {
  std::set<std::string> points;
  for (const auto& [controller, point] : v1) points.insert(point);
  if (!unified_path.empty()) points.insert(unified_path);
  return {points.begin(), points.end()};
}

Result<CgroupLayout> CgroupLayout::detect(const std::string& mountinfo) {
  TRY(std::string text, sys::read_file(mountinfo));
  CgroupLayout layout;
  for (const std::string& line : split(text, '\n')) {
    // proc_pid_mountinfo(5): ID PARENT MAJ:MIN ROOT POINT OPTIONS [TAGS] - TYPE SOURCE SUPER_OPTIONS
    std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::vector<std::string> left = split(line.substr(0, dash), ' '), right = split(line.substr(dash + 3), ' ');
    if (left.size() < 5 || right.size() < 3 || !left[4].starts_with("/sys/fs/cgroup")) continue;
    if (right[0] == "cgroup2") {
      layout.unified_path = left[4];
      layout.unified = left[4] == "/sys/fs/cgroup";
    } else if (right[0] == "cgroup") {
      for (const std::string& option : split(right[2], ','))
        if (option != "rw" && option != "ro" && option != "xattr" && !option.starts_with("release_agent"))
          layout.v1[option] = left[4];
    }
  }
  if (layout.unified_path.empty() && layout.v1.empty())
    return fail(ErrorCode::unsupported, "no cgroup filesystem is mounted below /sys/fs/cgroup");
  if (layout.unified) layout.v1.clear();
  return layout;
}

namespace {

std::uint64_t read_number(const std::string& path) {
  auto text = sys::read_file(path);
  if (!text) return 0;
  return parse_number<std::uint64_t>(trim(*text)).value_or(0);
}

// The value of "KEY VALUE" lines.
std::uint64_t read_key(const std::string& path, std::string_view key) {
  auto text = sys::read_file(path);
  if (!text) return 0;
  for (const std::string& line : split(*text, '\n')) {
    auto [name, value] = split_once(line, ' ');
    if (name == key && value) return parse_number<std::uint64_t>(trim(*value)).value_or(0);
  }
  return 0;
}

// Sums of io.stat's rbytes= and wbytes=, or of blkio's "MAJ:MIN Read N".
void read_io(const std::string& v2, const std::string& v1, CgroupStats& stats) {
  if (auto text = sys::read_file(v2)) {
    for (const std::string& word : split(*text, ' ')) {
      if (word.starts_with("rbytes=")) stats.io_read_bytes += parse_number<std::uint64_t>(word.substr(7)).value_or(0);
      if (word.starts_with("wbytes=")) stats.io_write_bytes += parse_number<std::uint64_t>(word.substr(7)).value_or(0);
    }
  } else if (auto old = sys::read_file(v1)) {
    for (const std::string& line : split(*old, '\n')) {
      std::vector<std::string> words = split(line, ' ');
      if (words.size() != 3) continue;
      if (words[1] == "Read") stats.io_read_bytes += parse_number<std::uint64_t>(words[2]).value_or(0);
      if (words[1] == "Write") stats.io_write_bytes += parse_number<std::uint64_t>(words[2]).value_or(0);
    }
  }
}

void collect_processes(const std::string& directory, std::set<int>& pids) {
  auto text = sys::read_file(directory + "/cgroup.procs");
  if (!text) return;
  for (const std::string& line : split(*text, '\n'))
    if (auto pid = parse_number<int>(line)) pids.insert(*pid);
  auto names = sys::list_directory(directory);
  if (!names) return;
  for (const std::string& name : *names) {
    struct stat status{};
    std::string child = directory + "/" + name;
    if (::lstat(child.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) collect_processes(child, pids);
  }
}

Result<void> remove_tree(const std::string& directory) {
  if (::rmdir(directory.c_str()) == 0 || errno == ENOENT) return {};
  if (auto names = sys::list_directory(directory))
    for (const std::string& name : *names) {
      struct stat status{};
      std::string child = directory + "/" + name;
      if (::lstat(child.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) TRY_OK(remove_tree(child));
    }
  if (::rmdir(directory.c_str()) < 0 && errno != ENOENT) return fail_errno("remove the cgroup " + directory);
  return {};
}

constexpr std::uint64_t kUnlimited = 1ULL << 62;

}  // namespace

std::string Cgroup::directory(const std::string& controller) const {
  if (layout_.unified) return layout_.unified_path + path_;
  auto point = layout_.v1.find(controller);
  if (point != layout_.v1.end()) return point->second + path_;
  return layout_.unified_path + path_;
}

bool Cgroup::exists() const {
  for (const std::string& point : layout_.hierarchies())
    if (sys::exists(point + path_)) return true;
  return false;
}

Result<std::vector<int>> Cgroup::processes() const {
  std::set<int> pids;
  for (const std::string& point : layout_.hierarchies()) collect_processes(point + path_, pids);
  return std::vector<int>(pids.begin(), pids.end());
}

Result<CgroupStats> Cgroup::stats() const {
  if (!exists()) return fail(ErrorCode::not_found, "no cgroup {}", path_);
  CgroupStats stats;
  if (layout_.unified) {
    std::string dir = directory("");
    stats.cpu_usage_ns = read_key(dir + "/cpu.stat", "usage_usec") * 1000;
    stats.cpu_user_ns = read_key(dir + "/cpu.stat", "user_usec") * 1000;
    stats.cpu_system_ns = read_key(dir + "/cpu.stat", "system_usec") * 1000;
    stats.memory_usage = read_number(dir + "/memory.current");
    stats.memory_inactive_file = read_key(dir + "/memory.stat", "inactive_file");
    stats.memory_limit = read_number(dir + "/memory.max");
    stats.memory_max_usage = read_number(dir + "/memory.peak");
    stats.pids_current = read_number(dir + "/pids.current");
    stats.pids_limit = read_number(dir + "/pids.max");
  } else {
    stats.cpu_usage_ns = read_number(directory("cpuacct") + "/cpuacct.usage");
    stats.cpu_user_ns = read_number(directory("cpuacct") + "/cpuacct.usage_user");
    stats.cpu_system_ns = read_number(directory("cpuacct") + "/cpuacct.usage_sys");
    std::string memory = directory("memory");
    stats.memory_usage = read_number(memory + "/memory.usage_in_bytes");
    stats.memory_inactive_file = read_key(memory + "/memory.stat", "total_inactive_file");
    stats.memory_limit = read_number(memory + "/memory.limit_in_bytes");
    stats.memory_max_usage = read_number(memory + "/memory.max_usage_in_bytes");
    stats.pids_current = read_number(directory("pids") + "/pids.current");
    stats.pids_limit = read_number(directory("pids") + "/pids.max");
  }
  if (stats.memory_limit >= kUnlimited) stats.memory_limit = 0;
  read_io(directory("") + "/io.stat", directory("blkio") + "/blkio.throttle.io_service_bytes", stats);
  return stats;
}

bool Cgroup::oom_killed() const {
  if (layout_.unified) return read_key(directory("") + "/memory.events", "oom_kill") > 0;
  return read_key(directory("memory") + "/memory.oom_control", "oom_kill") > 0;
}

namespace {

// The freezer works in the background; it is done within a few milliseconds unless a process is in uninterruptible
// sleep.
Result<void> wait_for_state(const std::string& path, std::string_view key, std::string_view wanted) {
  constexpr int kTries = 500;
  for (int i = 0; i < kTries; ++i) {
    TRY(std::string text, sys::read_file(path));
    for (const std::string& line : split(text, '\n')) {
      auto [name, value] = split_once(line, ' ');
      if (key.empty() ? trim(line) == wanted : name == key && value && trim(*value) == wanted) return {};
    }
    ::usleep(1000);
  }
  return fail(ErrorCode::timeout, "the freezer did not reach the state {} within {} ms", wanted, kTries);
}

}  // namespace

Result<void> Cgroup::freeze() const {
  if (layout_.unified) {
    TRY_OK(sys::write_value(directory("") + "/cgroup.freeze", "1"));
    return wait_for_state(directory("") + "/cgroup.events", "frozen", "1");
  }
  TRY_OK(sys::write_value(directory("freezer") + "/freezer.state", "FROZEN"));
  return wait_for_state(directory("freezer") + "/freezer.state", "", "FROZEN");
}

Result<void> Cgroup::thaw() const {
  if (layout_.unified) return sys::write_value(directory("") + "/cgroup.freeze", "0");
  return sys::write_value(directory("freezer") + "/freezer.state", "THAWED");
}

Result<void> Cgroup::kill_all() const {
  if (layout_.unified && sys::exists(directory("") + "/cgroup.kill"))
    return sys::write_value(directory("") + "/cgroup.kill", "1");
  constexpr int kRounds = 50;
  for (int round = 0; round < kRounds; ++round) {
    TRY(std::vector<int> pids, processes());
    if (pids.empty()) return {};
    for (int pid : pids) {
      auto process = sys::Process::open(pid);
      if (process) (void)process->signal(SIGKILL);
    }
    // A frozen process takes its signal when it is thawed.
    if (!layout_.unified) (void)thaw();
    ::usleep(2000);
  }
  return fail(ErrorCode::busy, "processes in the cgroup {} do not end", path_);
}

Result<void> Cgroup::remove() const {
  for (const std::string& point : layout_.hierarchies()) TRY_OK(remove_tree(point + path_));
  return {};
}

std::vector<std::string> Cgroup::children() const {
  std::set<std::string> names;
  for (const std::string& point : layout_.hierarchies()) {
    auto entries = sys::list_directory(point + path_);
    if (!entries) continue;
    for (const std::string& name : *entries) {
      struct stat status{};
      if (::lstat((point + path_ + "/" + name).c_str(), &status) == 0 && S_ISDIR(status.st_mode)) names.insert(name);
    }
  }
  return {names.begin(), names.end()};
}

}  // namespace berth::engine
