// File modes as Go's os.FileMode counts them: what Docker's API speaks.
#pragma once

#include <sys/stat.h>

#include <cstdint>

namespace berth::docker {

inline std::uint32_t go_file_mode(mode_t mode) {
  std::uint32_t go = mode & 0777;
  switch (mode & S_IFMT) {
    case S_IFDIR:
      go |= 1U << 31;
      break;
    case S_IFLNK:
      go |= 1U << 27;
      break;
    case S_IFBLK:
      go |= 1U << 26;
      break;
    case S_IFCHR:
      go |= 1U << 26 | 1U << 21;
      break;
    case S_IFIFO:
      go |= 1U << 25;
      break;
    case S_IFSOCK:
      go |= 1U << 24;
      break;
    default:
      break;
  }
  if ((mode & S_ISUID) != 0) go |= 1U << 23;
  if ((mode & S_ISGID) != 0) go |= 1U << 22;
  if ((mode & S_ISVTX) != 0) go |= 1U << 20;
  return go;
}

}  // namespace berth::docker
