#include "image/detail/fetch.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>
#include <vector>

#include "base/crash_point.h"
#include "fs/digest.h"
#include "sys/file.h"

namespace berth::image {

namespace {

constexpr int kAttempts = 5;

// A blob on its way: into the hash, the partial file and the unpacker, each byte once.
class Download {
 public:
  Download(const FetchOrder& order, const FetchProgress& progress, Unpacking& unpacking, int partial)
      : order_(order), progress_(progress), unpacking_(unpacking), partial_(partial) {}

  // What the partial file holds already.
  Result<void> replay();
  Result<void> take(std::uint64_t offset, std::string_view piece);
  std::uint64_t bytes() const { return bytes_; }
  std::string hex() const { return hash_.hex(); }

 private:
  Result<void> digest(std::string_view piece);

  const FetchOrder& order_;
  const FetchProgress& progress_;
  Unpacking& unpacking_;
  int partial_;
  std::uint64_t bytes_ = 0;
  fs::Sha256 hash_;
};

Result<void> Download::digest(std::string_view piece) {
  hash_.update(piece);
  bytes_ += piece.size();
  TRY_OK(unpacking_.write(piece));
  progress_.downloading(bytes_);
  return {};
}

Result<void> Download::replay() {
  std::vector<char> buffer(256 << 10);
  fs::FdSource source(partial_);
  while (bytes_ < order_.blob.size) {
    TRY(std::size_t got, source.read(buffer));
    if (got == 0) return {};
    TRY_OK(digest({buffer.data(), got}));
  }
  return {};
}

Result<void> Download::take(std::uint64_t offset, std::string_view piece) {
  // A server without ranges begins anew; what we have we skip.
  if (offset < bytes_) {
    std::uint64_t known = std::min<std::uint64_t>(bytes_ - offset, piece.size());
    piece.remove_prefix(static_cast<std::size_t>(known));
  }
  if (piece.empty()) return {};
  if (piece.size() > order_.blob.size - bytes_)
    return fail(ErrorCode::io, "blob {} is longer than its manifest says", order_.blob.digest.text());
  TRY_OK(annotate(sys::write_all(partial_, piece), "{}", order_.partial));
  return digest(piece);
}

bool is_worth_another_try(const Error& error) {
  return error.code() == ErrorCode::io || error.code() == ErrorCode::timeout;
}

Result<void> download(Registry& registry, const FetchOrder& order, Download& state) {
  TRY_OK(state.replay());
  Result<void> last;
  for (int failures = 0; state.bytes() < order.blob.size && failures < kAttempts;) {
    std::uint64_t before = state.bytes();
    last = registry.blob(order.blob.digest, before,
                         [&](std::uint64_t offset, std::string_view piece) { return state.take(offset, piece); });
    if (state.bytes() == order.blob.size) return {};
    if (!last && !is_worth_another_try(last.error())) return last;
    if (last) last = fail(ErrorCode::io, "unexpected EOF");
    // Progress earns new attempts: a line that is cut every minute still gets a large layer through.
    failures = state.bytes() > before ? 1 : failures + 1;
    if (failures < kAttempts) std::this_thread::sleep_for(std::chrono::milliseconds(100 << failures));
  }
  return state.bytes() == order.blob.size ? Result<void>() : last;
}

Result<StagedLayer> attempt(Registry& registry, const UnpackSettings& settings, const FetchOrder& order,
                            const FetchProgress& progress, bool& is_damaged) {
  is_damaged = false;
  TRY(sys::UniqueFd partial, sys::open_file(order.partial, O_RDWR | O_CREAT | O_APPEND, 0600));
  TRY(Unpacking unpacking, Unpacking::start(settings, order.directory));
  Download state(order, progress, unpacking, partial.get());
  auto done = download(registry, order, state);
  // When the unpacker has given up, its reason is the better one.
  if (!done && !unpacking.has_given_up()) return std::unexpected(std::move(done).error());
  if (done && state.hex() != order.blob.digest.hex()) {
    is_damaged = true;
    return fail(ErrorCode::io, "filesystem layer verification failed for digest {}", order.blob.digest.text());
  }
  if (done) progress.downloaded();
  crash_point("pull.layer-downloaded");
  auto layer = unpacking.finish();
  crash_point("pull.layer-extracted");
  // Until the blob's hash is known, bad data may also be the partial file's fault.
  is_damaged = !layer && !done;
  if (layer && layer->diff_id != order.diff_id.hex())
    return fail(ErrorCode::io, "layers from manifest don't match image configuration");
  return layer;
}

}  // namespace

Result<StagedLayer> fetch_layer(Registry& registry, const UnpackSettings& settings, const FetchOrder& order,
                                const FetchProgress& progress) {
  if (order.blob.size > order.limit)
    return fail(ErrorCode::exhausted, "layer {} is larger than {} bytes", order.blob.digest.text(), order.limit);
  if (!order.blob.digest.is_sha256())
    return fail(ErrorCode::unsupported, "unsupported digest algorithm: {}", order.blob.digest.text());
  struct ::stat status{};
  bool resumes = ::stat(order.partial.c_str(), &status) == 0 && status.st_size > 0;
  bool is_damaged = false;
  auto layer = attempt(registry, settings, order, progress, is_damaged);
  if (!is_damaged) return layer;
  TRY_OK(sys::remove_file(order.partial));
  // What was kept may have been cut or damaged: once more from the start.
  if (!resumes) return layer;
  FetchOrder again = order;
  again.directory += "-again";
  return attempt(registry, settings, again, progress, is_damaged);
}

}  // namespace berth::image
