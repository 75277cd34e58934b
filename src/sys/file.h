// Plain file and directory calls as Results: whole-file reads and writes, atomic replacement, directories.
//
// Paths here are the host's own, made by Berth. Paths that come from an image or a container go through fs/root_dir.h.
// Thread: any; all of them block on the disk.
#pragma once

#include <fcntl.h>
#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "sys/unique_fd.h"

namespace berth::sys {

// open(2) with O_CLOEXEC added.
Result<UniqueFd> open_file(const std::string& path, int flags, mode_t mode = 0);
Result<UniqueFd> open_at(int directory, const std::string& path, int flags, mode_t mode = 0);

// Up to limit bytes; a longer file is an `exhausted` error. Works for /proc and /sys files.
Result<std::string> read_file(const std::string& path, std::size_t limit = 64 << 20);
Result<void> write_all(int fd, std::string_view bytes);
// One write(2) to an existing file, for /proc and /sys.
Result<void> write_value(const std::string& path, std::string_view value);

enum class Durability {
  process,  // survives kill -9 of any process: rename after write
  power     // survives a power cut too: fsync of file and directory
};
// Writes to a temporary name in the same directory and renames it over path: readers see the old or the new whole file.
Result<void> replace_file(const std::string& path, std::string_view bytes, mode_t mode,
                          Durability durability = Durability::process);

// One pwrite(2) over the file's beginning, padded with spaces to whole blocks of 4096 bytes, so that a shorter text
// leaves nothing of a longer one: whole after kill -9 at any instruction. For small files that change often: a rename
// over an existing file makes ext4 write its data out at once. The file is made when it is missing. Only for formats
// that bear trailing spaces, and for readers in the same process or after its death.
Result<void> overwrite_file(const std::string& path, std::string bytes, mode_t mode);

Result<void> make_directory(const std::string& path, mode_t mode);      // EEXIST is an error
Result<void> ensure_directories(const std::string& path, mode_t mode);  // mkdir -p
Result<void> remove_file(const std::string& path);                      // absent is fine
bool exists(const std::string& path);                                   // lstat(2)
// Names in a directory without "." and "..", sorted; a missing directory is an error.
Result<std::vector<std::string>> list_directory(const std::string& path);

}  // namespace berth::sys
