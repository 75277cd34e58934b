// Ranges of host ids for user namespaces: each container has one of 65536 ids, never shared with another that exists.
// What is taken is known from the containers' specs, so there is no file of its own.
//
// Thread: the loop's.
#pragma once

#include <cstdint>
#include <vector>

#include "base/error.h"

namespace berth::engine {

class IdRanges {
 public:
  static constexpr std::uint32_t kSize = 65536;

  IdRanges(std::uint32_t first, std::uint32_t count) : first_(first), taken_(count, false) {}

  // The first id of a free range; exhausted when there is none.
  Result<std::uint32_t> take();
  // Marks a range that a container on disk holds. One outside of the configured area is left alone.
  void mark(std::uint32_t base);
  void release(std::uint32_t base);

 private:
  std::uint32_t first_;
  std::vector<bool> taken_;
  std::size_t next_ = 0;  // ranges are used in turn, so that a freed one rests as long as possible
};

}  // namespace berth::engine
