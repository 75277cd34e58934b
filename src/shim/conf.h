// The configuration of a shim, as its engine wrote it (docs/design/shim.md, "Configuration").
#pragma once

#include <cstddef>
#include <cstdint>

#include "shim/buffer.h"
#include "shim/list.h"
#include "shim/result.h"

namespace berth::shim {

struct PathItem {
  Buffer path;
  PathItem* next = nullptr;
};

struct Bind {
  Buffer source;
  bool idmap = false;
  bool read_only = false;
  bool recursive = true;
  Buffer subpath;          // what is mounted of source; nothing in source leads out of it
  Buffer mount_namespace;  // where source is looked up; empty: the shim's
  Bind* next = nullptr;
};

struct Conf {
  Buffer id;
  Buffer runtime;
  int runtime_fd = -1;  // executed in place of the path
  Buffer runtime_root;
  List<PathItem> runtime_args;
  std::uint64_t runtime_timeout = 60;  // seconds
  Buffer bundle;
  Buffer pid_file;
  bool tty = false;
  bool open_stdin = false;
  bool stdin_once = false;
  std::uint16_t rows = 0;  // with cols, the first size of the terminal; 0: the kernel's
  std::uint16_t cols = 0;

  bool log = false;  // json-file
  Buffer log_path;
  std::uint64_t log_max_size = 0;  // bytes; 0: no limit
  std::uint64_t log_max_files = 1;

  Buffer exit_file;
  Buffer control_socket;

  std::uint32_t userns_base = 0;
  std::uint32_t userns_size = 0;  // 0: the host's user namespace
  bool private_netns = false;
  // Paths of another container's namespaces that are joined; empty: none.
  Buffer join_user;
  Buffer join_net;
  Buffer join_pid;
  Buffer join_ipc;

  List<PathItem> hide;
  Buffer mounts_dir;
  Buffer rootfs;
  List<PathItem> lower;  // topmost first
  Buffer upper_dir;
  List<Bind> binds;
};

// Reads and checks the file at path.
Result<> read_conf(const char* path, Conf& conf);

// The whole of a file, at most limit bytes.
Result<Buffer> read_file(const char* path, std::size_t limit);
// Replaces path by a file with these bytes, mode 0600: nobody ever sees half of it.
Result<> write_file_atomically(Buffer& path, std::string_view bytes);

}  // namespace berth::shim
