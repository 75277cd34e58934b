// The tar header block, as reader and writer see it (POSIX.1-2008 pax, "ustar Interchange Format"; GNU tar, tar.h).
#pragma once

#include <cstddef>
#include <cstdint>

namespace berth::fs::tar {

constexpr std::size_t kBlock = 512;

struct Field {
  std::size_t offset;
  std::size_t length;
};

constexpr Field kName{0, 100};
constexpr Field kMode{100, 8};
constexpr Field kUid{108, 8};
constexpr Field kGid{116, 8};
constexpr Field kSize{124, 12};
constexpr Field kModified{136, 12};
constexpr Field kChecksum{148, 8};
constexpr std::size_t kTypeFlag = 156;
constexpr Field kLink{157, 100};
constexpr Field kMagic{257, 8};  // magic and version
constexpr Field kDeviceMajor{329, 8};
constexpr Field kDeviceMinor{337, 8};
constexpr Field kPrefix{345, 155};

// star puts "tar\0" at the end and shortens the prefix.
constexpr Field kStarPrefix{345, 131};
constexpr Field kStarTrailer{508, 4};

// GNU's old sparse format: four extents in the header, then blocks of 21 while the flag says so.
constexpr Field kGnuExtents{386, 4 * 24};
constexpr std::size_t kGnuExtended = 482;
constexpr Field kGnuRealSize{483, 12};
constexpr Field kGnuMoreExtents{0, 21 * 24};
constexpr std::size_t kGnuMoreExtended = 504;

}  // namespace berth::fs::tar
