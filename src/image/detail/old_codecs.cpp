#include "image/detail/old_codecs.h"

#include <bzlib.h>
#include <lzma.h>

namespace berth::image {

namespace {

constexpr std::uint64_t kMemory = 256 << 20;

class Bzip2 : public OldCodec {
 public:
  ~Bzip2() override { BZ2_bzDecompressEnd(&stream_); }
  bool begin() { return BZ2_bzDecompressInit(&stream_, 0, 0) == BZ_OK; }

  Result<Step> run(std::span<const char> input, std::span<char> output, bool) override {
    stream_.next_in = const_cast<char*>(input.data());
    stream_.avail_in = static_cast<unsigned>(input.size());
    stream_.next_out = output.data();
    stream_.avail_out = static_cast<unsigned>(output.size());
    int result = BZ2_bzDecompress(&stream_);
    if (result != BZ_OK && result != BZ_STREAM_END) return fail(ErrorCode::invalid, "bzip2: invalid data ({})", result);
    Step step{input.size() - stream_.avail_in, output.size() - stream_.avail_out, result == BZ_STREAM_END};
    if (step.at_end) {
      BZ2_bzDecompressEnd(&stream_);
      stream_ = {};
      if (!begin()) return fail(ErrorCode::exhausted, "bzip2: no memory");
    }
    return step;
  }

 private:
  bz_stream stream_{};
};

class Xz : public OldCodec {
 public:
  ~Xz() override { lzma_end(&stream_); }
  bool begin() { return lzma_stream_decoder(&stream_, kMemory, 0) == LZMA_OK; }

  Result<Step> run(std::span<const char> input, std::span<char> output, bool last) override {
    stream_.next_in = reinterpret_cast<const std::uint8_t*>(input.data());
    stream_.avail_in = input.size();
    stream_.next_out = reinterpret_cast<std::uint8_t*>(output.data());
    stream_.avail_out = output.size();
    lzma_ret result = lzma_code(&stream_, last ? LZMA_FINISH : LZMA_RUN);
    if (result == LZMA_MEMLIMIT_ERROR) return fail(ErrorCode::exhausted, "xz: it needs more than {} bytes", kMemory);
    // LZMA_BUF_ERROR: nothing to be done without more input.
    if (result != LZMA_OK && result != LZMA_STREAM_END && result != LZMA_BUF_ERROR)
      return fail(ErrorCode::invalid, "xz: invalid data ({})", static_cast<int>(result));
    Step step{input.size() - stream_.avail_in, output.size() - stream_.avail_out, result == LZMA_STREAM_END};
    if (step.at_end && !begin()) return fail(ErrorCode::exhausted, "xz: no memory");
    return step;
  }

 private:
  lzma_stream stream_ = LZMA_STREAM_INIT;
};

template <class Codec>
Result<std::unique_ptr<OldCodec>> make() {
  auto codec = std::make_unique<Codec>();
  if (!codec->begin()) return fail(ErrorCode::exhausted, "no memory to decompress");
  return codec;
}

}  // namespace

Result<std::unique_ptr<OldCodec>> make_bzip2() { return make<Bzip2>(); }
Result<std::unique_ptr<OldCodec>> make_xz() { return make<Xz>(); }

}  // namespace berth::image
