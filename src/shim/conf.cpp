#include "shim/conf.h"

#include <errno.h>
#include <stdio.h>

#include "shim/fd.h"
#include "shim/protocol.h"

namespace berth::shim {

namespace {

constexpr std::size_t kMaxConf = 1 << 20;

struct TextField {
  std::string_view key;
  Buffer Conf::* member;
  bool required;
};
constexpr TextField kTexts[] = {
    {"id", &Conf::id, true},
    {"runtime", &Conf::runtime, true},
    {"runtime_root", &Conf::runtime_root, true},
    {"bundle", &Conf::bundle, true},
    {"pid_file", &Conf::pid_file, true},
    {"log_path", &Conf::log_path, false},
    {"exit_file", &Conf::exit_file, true},
    {"control_socket", &Conf::control_socket, true},
    {"mounts_dir", &Conf::mounts_dir, true},
    {"rootfs", &Conf::rootfs, true},
    {"upper_dir", &Conf::upper_dir, true},
    {"join_user", &Conf::join_user, false},
    {"join_net", &Conf::join_net, false},
    {"join_pid", &Conf::join_pid, false},
    {"join_ipc", &Conf::join_ipc, false},
};

struct FlagField {
  std::string_view key;
  bool Conf::* member;
};
constexpr FlagField kFlags[] = {
    {"tty", &Conf::tty}, {"open_stdin", &Conf::open_stdin}, {"stdin_once", &Conf::stdin_once}};

void add_path(List<PathItem>& list, std::string_view path) { list.add(new PathItem{concat(path)}); }

bool take_text_or_flag(const Field& field, Conf& conf) {
  for (const TextField& text : kTexts) {
    if (field.key != text.key) continue;
    conf.*text.member = concat(field.value);
    return true;
  }
  for (const FlagField& flag : kFlags) {
    if (field.key != flag.key) continue;
    conf.*flag.member = field.value == "1";
    return true;
  }
  return false;
}

bool take_number(const Field& field, Conf& conf) {
  const std::uint64_t number = to_number(field.value);
  if (field.key == "log_max_size")
    conf.log_max_size = number;
  else if (field.key == "log_max_files")
    conf.log_max_files = number;
  else if (field.key == "userns_base")
    conf.userns_base = static_cast<std::uint32_t>(number);
  else if (field.key == "userns_size")
    conf.userns_size = static_cast<std::uint32_t>(number);
  else if (field.key == "runtime_timeout")
    conf.runtime_timeout = number;
  else if (field.key == "rows")
    conf.rows = static_cast<std::uint16_t>(number);
  else if (field.key == "cols")
    conf.cols = static_cast<std::uint16_t>(number);
  else
    return false;
  return true;
}

// The bind_ fields describe the bind that the last bind_source began.
bool take_bind(const Field& field, Conf& conf, Bind*& bind) {
  if (field.key == "bind_source") {
    bind = conf.binds.add(new Bind{concat(field.value)});
    return true;
  }
  if (bind == nullptr) return false;
  if (field.key == "bind_idmap")
    bind->idmap = field.value == "1";
  else if (field.key == "bind_read_only")
    bind->read_only = field.value == "1";
  else if (field.key == "bind_recursive")
    bind->recursive = field.value == "1";
  else if (field.key == "bind_subpath")
    bind->subpath = concat(field.value);
  else if (field.key == "bind_mount_namespace")
    bind->mount_namespace = concat(field.value);
  else
    return false;
  return true;
}

bool take_other(const Field& field, Conf& conf) {
  if (field.key == "hide")
    add_path(conf.hide, field.value);
  else if (field.key == "lower")
    add_path(conf.lower, field.value);
  else if (field.key == "runtime_arg")
    add_path(conf.runtime_args, field.value);
  else if (field.key == "log_driver")
    conf.log = field.value == "json-file";
  else if (field.key == "netns")
    conf.private_netns = field.value == "private";
  else
    return false;
  return true;
}

}  // namespace

Result<Buffer> read_file(const char* path, std::size_t limit) {
  const Fd fd(open(path, O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return fail(errno, "open ", path);
  Buffer content;
  while (content.size() < limit) {
    constexpr std::size_t kStep = 16 << 10;
    char* place = content.extend(kStep);
    const ssize_t got = read(fd.get(), place, kStep);
    const int read_errno = errno;
    content.shrink(kStep - (got > 0 ? static_cast<std::size_t>(got) : 0));
    if (got < 0) return fail(read_errno, "read ", path);
    if (got == 0) return content;
  }
  return fail(EFBIG, "read ", path);
}

Result<> write_file_atomically(Buffer& path, std::string_view bytes) {
  Buffer temporary = concat(path, ".new");
  const Fd fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd.valid()) return fail(errno, "create ", temporary);
  while (!bytes.empty()) {
    const ssize_t written = write(fd.get(), bytes.data(), bytes.size());
    if (written < 0) return fail(errno, "write ", temporary);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  if (rename(temporary.c_str(), path.c_str()) != 0) return fail(errno, "rename ", temporary, " to ", path);
  return {};
}

Result<> read_conf(const char* path, Conf& conf) {
  Result<Buffer> text = read_file(path, kMaxConf);
  if (!text) return std::unexpected(std::move(text).error());
  std::string_view rest = text->view();
  Bind* bind = nullptr;
  for (Field field; take_field(rest, field);) {
    if (!take_text_or_flag(field, conf) && !take_number(field, conf) && !take_bind(field, conf, bind) &&
        !take_other(field, conf)) {
      return fail(0, path, ": unknown field ", field.key);
    }
  }
  if (!rest.empty()) return fail(0, path, ": the last field lacks its end");
  for (const TextField& required : kTexts) {
    if (required.required && (conf.*required.member).empty()) return fail(0, path, ": ", required.key, " is missing");
  }
  if (conf.log && conf.log_path.empty()) return fail(0, path, ": log_path is missing");
  return {};
}

}  // namespace berth::shim
