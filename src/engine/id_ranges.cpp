#include "engine/id_ranges.h"

namespace berth::engine {

Result<std::uint32_t> IdRanges::take() {
  for (std::size_t tried = 0; tried < taken_.size(); ++tried) {
    std::size_t index = next_;
    next_ = (next_ + 1) % taken_.size();
    if (taken_[index]) continue;
    taken_[index] = true;
    return first_ + static_cast<std::uint32_t>(index) * kSize;
  }
  return fail(ErrorCode::exhausted, "no user id range is free: {} containers have one each; remove some",
              taken_.size());
}

void IdRanges::mark(std::uint32_t base) {
  std::size_t index = (base - first_) / kSize;
  if (base >= first_ && index < taken_.size()) taken_[index] = true;
}

void IdRanges::release(std::uint32_t base) {
  std::size_t index = (base - first_) / kSize;
  if (base >= first_ && index < taken_.size()) taken_[index] = false;
}

}  // namespace berth::engine
