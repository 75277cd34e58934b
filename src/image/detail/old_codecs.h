// bzip2 and xz: what build contexts and archives of elsewhere may still come in. Streams one after another are one.
//
// Thread: one at a time. Memory: 256 MiB at most, which is what xz -9 needs several times over.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "base/error.h"

namespace berth::image {

class OldCodec {
 public:
  virtual ~OldCodec() = default;

  struct Step {
    std::size_t consumed = 0;
    std::size_t produced = 0;
    bool at_end = false;  // of a stream; another may follow
  };
  // last: no more input will come.
  virtual Result<Step> run(std::span<const char> input, std::span<char> output, bool last) = 0;
};

Result<std::unique_ptr<OldCodec>> make_bzip2();
Result<std::unique_ptr<OldCodec>> make_xz();

}  // namespace berth::image
