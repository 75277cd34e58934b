#include "engine/attach_window.h"

#include "base/text.h"
#include "sys/file.h"

namespace berth::engine {

namespace {

// The engine's own group in the hierarchy, as cgroups(7) describes /proc/PID/cgroup: "ID:CONTROLLERS:PATH" lines.
std::string own_group(std::string_view controller) {
  auto text = sys::read_file("/proc/self/cgroup");
  if (!text) return {};
  for (const std::string& line : split(*text, '\n')) {
    std::vector<std::string> fields = split(line, ':');
    if (fields.size() < 3) continue;
    for (const std::string& name : split(fields[1], ','))
      if (name == controller) return line.substr(fields[0].size() + fields[1].size() + 2);
  }
  return {};
}

}  // namespace

// Any hierarchy will do: the lock is one for all of them.
AttachWindow::AttachWindow(async::Loop& loop, const CgroupLayout& layout)
    : loop_(loop),
      mount_point_(layout.v1.empty() ? layout.unified_path : layout.v1.begin()->second),
      controller_(layout.v1.empty() ? "" : layout.v1.begin()->first) {}

async::Task<> AttachWindow::open() {
  if (opening_) co_return;
  opening_ = true;
  co_await loop_.blocking([this] {
    std::string group = own_group(controller_);
    if (!group.empty()) (void)sys::write_value(mount_point_ + group + "/cgroup.procs", "0");
  });
  opening_ = false;
}

}  // namespace berth::engine
