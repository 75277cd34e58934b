// Compressed streams as layers and archives use them: gzip (RFC 1952, any number of members), zstd (RFC 8878), none;
// and bzip2 and xz, which Docker takes too.
//
// All of them block on their inner stream. Thread: one at a time.
#pragma once

#include <memory>
#include <string_view>

#include "base/error.h"
#include "fs/stream.h"
#include "image/detail/old_codecs.h"

namespace berth::image {

enum class Compression { none, gzip, zstd, bzip2, xz };

// By the first bytes.
Compression detect_compression(std::string_view beginning);
// At most this many bytes are needed to tell.
constexpr std::size_t kCompressionMagic = 6;

// Gives the plain bytes of a stream whose compression it finds out itself. A stream that ends early is `invalid`.
class Decompressor : public fs::Source {
 public:
  explicit Decompressor(fs::Source& inner);
  ~Decompressor() override;
  Result<std::size_t> read(std::span<char> into) override;

 private:
  struct Gzip;
  struct Zstd;
  Result<void> begin();
  Result<bool> refill();  // false at the end of the input
  Result<std::size_t> read_plain(std::span<char> into);
  Result<std::size_t> read_gzip(std::span<char> into);
  Result<std::size_t> read_zstd(std::span<char> into);
  Result<std::size_t> read_old(std::span<char> into);

  fs::Source& inner_;
  bool begun_ = false;
  Compression compression_ = Compression::none;
  std::vector<char> input_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::unique_ptr<Gzip> gzip_;
  std::unique_ptr<Zstd> zstd_;
  std::unique_ptr<OldCodec> old_;
  bool in_old_stream_ = false;
};

// Compresses into another sink; finish() must be called, or the stream is cut.
class GzipSink : public fs::Sink {
 public:
  explicit GzipSink(fs::Sink& inner);
  ~GzipSink() override;
  Result<void> write(std::string_view bytes) override;
  Result<void> finish();

 private:
  struct State;
  Result<void> run(std::string_view bytes, bool last);
  fs::Sink& inner_;
  std::unique_ptr<State> state_;
};

class ZstdSink : public fs::Sink {
 public:
  explicit ZstdSink(fs::Sink& inner);
  ~ZstdSink() override;
  Result<void> write(std::string_view bytes) override;
  Result<void> finish();

 private:
  struct State;
  fs::Sink& inner_;
  std::unique_ptr<State> state_;
};

}  // namespace berth::image
