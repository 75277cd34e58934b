// What berth-unpack does, and how the store speaks to it.
//
//   berth-unpack DIRECTORY MAX_BYTES MAX_ENTRIES layer|plain  <compressed layer  3>outline  >report
//
// DIRECTORY is empty and becomes the layer. The outline is the layer's tar stream without the content of its plain
// files, compressed with zstd: with the directory beside it the exact stream can be made again (detail/outline.h). The
// report is one JSON object: an UnpackReport.
#pragma once

#include <boost/describe.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"

namespace berth::image {

struct UnpackReport {
  int error_code = -1;  // an ErrorCode; -1 when all went well
  std::string error;
  std::string diff_id;             // hex sha256 of the uncompressed stream
  std::uint64_t stream_bytes = 0;  // length of that stream
  std::uint64_t bytes = 0;         // content of the files
  std::uint64_t entries = 0;
  std::uint64_t skipped_devices = 0;
  bool overlapping = false;         // the stream cannot be made again from outline and directory
  std::vector<std::string> opaque;  // paths in base64; only between the jailed child and its parent
};
BOOST_DESCRIBE_STRUCT(UnpackReport, (),
                      (error_code, error, diff_id, stream_bytes, bytes, entries, skipped_devices, overlapping, opaque))

constexpr int kUnpackOutlineFd = 3;

struct UnpackLimits {
  std::uint64_t bytes = 0;
  std::uint64_t entries = 0;
  bool plain = false;  // ".wh." names mean nothing: a build context, not a layer
};

// The main() of berth-unpack: reads descriptor 0, writes kUnpackOutlineFd. Single-threaded programs only.
UnpackReport unpack_here(const std::string& directory, const UnpackLimits& limits);

}  // namespace berth::image
