#include "cli/demux.h"

#include <algorithm>

namespace berth::cli {

Result<void> Demux::feed(std::string_view bytes, const Sink& sink) {
  while (!bytes.empty()) {
    if (left_ == 0) {
      std::size_t take = std::min(head_.size() - have_, bytes.size());
      std::ranges::copy(bytes.substr(0, take), head_.begin() + static_cast<std::ptrdiff_t>(have_));
      have_ += take;
      bytes.remove_prefix(take);
      if (have_ < head_.size()) break;
      if (head_[0] > static_cast<unsigned>(StreamKind::system_error))
        return fail(ErrorCode::io, "Unrecognized stream {} in the daemon's answer", head_[0]);
      have_ = 0;
      for (std::size_t i = 4; i < head_.size(); ++i) left_ = left_ << 8 | head_[i];
    }
    std::string_view payload = bytes.substr(0, std::min(left_, bytes.size()));
    bytes.remove_prefix(payload.size());
    left_ -= payload.size();
    auto kind = static_cast<StreamKind>(head_[0]);
    if (kind != StreamKind::system_error) {
      if (!payload.empty()) TRY_OK(sink(kind, payload));
      continue;
    }
    daemon_text_ += payload;
    if (left_ == 0) return fail(ErrorCode::io, "error from daemon in stream: {}", daemon_text_);
  }
  return {};
}

}  // namespace berth::cli
