#include "image/detail/compression.h"

#include <isa-l/igzip_lib.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <new>

namespace berth::image {

namespace {

constexpr std::size_t kInput = 128 << 10;
constexpr std::size_t kOutput = 128 << 10;

std::unexpected<Error> cut_short() { return fail(ErrorCode::invalid, "unexpected EOF"); }

std::uint8_t* bytes(char* text) { return reinterpret_cast<std::uint8_t*>(text); }

}  // namespace

Compression detect_compression(std::string_view beginning) {
  if (beginning.starts_with("\x1f\x8b")) return Compression::gzip;
  if (beginning.starts_with("\x28\xb5\x2f\xfd")) return Compression::zstd;
  if (beginning.starts_with("BZh")) return Compression::bzip2;
  if (beginning.starts_with("\xfd"
                            "7zXZ"))
    return Compression::xz;
  return Compression::none;
}

struct Decompressor::Gzip {
  inflate_state state;
  bool in_member = true;

  Gzip() {
    isal_inflate_init(&state);
    state.crc_flag = ISAL_GZIP;
  }
  void next_member() {
    isal_inflate_reset(&state);
    state.crc_flag = ISAL_GZIP;
    in_member = true;
  }
};

struct Decompressor::Zstd {
  ZSTD_DStream* stream = ZSTD_createDStream();
  bool in_frame = false;
  Zstd() {
    if (stream == nullptr) throw std::bad_alloc();
  }
  ~Zstd() { ZSTD_freeDStream(stream); }
};

Decompressor::Decompressor(fs::Source& inner) : inner_(inner), input_(kInput) {}
Decompressor::~Decompressor() = default;

Result<void> Decompressor::begin() {
  begun_ = true;
  TRY(end_, fs::read_full(inner_, std::span<char>(input_).first(kCompressionMagic)));
  compression_ = detect_compression({input_.data(), end_});
  if (compression_ == Compression::gzip) gzip_ = std::make_unique<Gzip>();
  if (compression_ == Compression::zstd) zstd_ = std::make_unique<Zstd>();
  if (compression_ == Compression::bzip2) {
    TRY(old_, make_bzip2());
  }
  if (compression_ == Compression::xz) {
    TRY(old_, make_xz());
  }
  return {};
}

Result<bool> Decompressor::refill() {
  if (begin_ < end_) return true;
  begin_ = 0;
  TRY(end_, inner_.read(input_));
  return end_ > 0;
}

Result<std::size_t> Decompressor::read(std::span<char> into) {
  if (!begun_) TRY_OK(begin());
  if (into.empty()) return 0;
  into = into.first(std::min<std::size_t>(into.size(), 1 << 30));  // igzip counts in 32 bits
  if (gzip_) return read_gzip(into);
  if (zstd_) return read_zstd(into);
  if (old_) return read_old(into);
  return read_plain(into);
}

Result<std::size_t> Decompressor::read_plain(std::span<char> into) {
  if (begin_ == end_) return inner_.read(into);
  std::size_t count = std::min(into.size(), end_ - begin_);
  std::memcpy(into.data(), input_.data() + begin_, count);
  begin_ += count;
  return count;
}

Result<std::size_t> Decompressor::read_gzip(std::span<char> into) {
  inflate_state& state = gzip_->state;
  while (true) {
    TRY(bool more, refill());
    if (!gzip_->in_member) {
      if (!more) return 0;
      gzip_->next_member();
    }
    state.next_in = bytes(input_.data() + begin_);
    state.avail_in = static_cast<std::uint32_t>(end_ - begin_);
    state.next_out = bytes(into.data());
    state.avail_out = static_cast<std::uint32_t>(into.size());
    if (int error = isal_inflate(&state); error < 0) return fail(ErrorCode::invalid, "gzip: invalid data ({})", error);
    begin_ = end_ - state.avail_in;
    std::size_t produced = into.size() - state.avail_out;
    gzip_->in_member = state.block_state != ISAL_BLOCK_FINISH;
    if (produced > 0) return produced;
    if (!more && gzip_->in_member) return cut_short();
  }
}

Result<std::size_t> Decompressor::read_zstd(std::span<char> into) {
  while (true) {
    TRY(bool more, refill());
    if (!more && !zstd_->in_frame) return 0;
    ZSTD_inBuffer input{input_.data() + begin_, end_ - begin_, 0};
    ZSTD_outBuffer output{into.data(), into.size(), 0};
    std::size_t left = ZSTD_decompressStream(zstd_->stream, &output, &input);
    if (ZSTD_isError(left)) return fail(ErrorCode::invalid, "zstd: {}", ZSTD_getErrorName(left));
    begin_ += input.pos;
    zstd_->in_frame = left != 0;
    if (output.pos > 0) return output.pos;
    if (!more && zstd_->in_frame) return cut_short();
  }
}

Result<std::size_t> Decompressor::read_old(std::span<char> into) {
  while (true) {
    TRY(bool more, refill());
    if (!more && !in_old_stream_) return 0;
    in_old_stream_ = true;
    TRY(OldCodec::Step step, old_->run({input_.data() + begin_, end_ - begin_}, into, !more));
    begin_ += step.consumed;
    in_old_stream_ = !step.at_end;
    if (step.produced > 0) return step.produced;
    if (!more && in_old_stream_) return cut_short();
  }
}

struct GzipSink::State {
  isal_zstream stream;
  std::vector<std::uint8_t> level_buffer = std::vector<std::uint8_t>(ISAL_DEF_LVL1_DEFAULT);
  std::vector<char> output = std::vector<char>(kOutput);
};

GzipSink::GzipSink(fs::Sink& inner) : inner_(inner), state_(std::make_unique<State>()) {
  isal_zstream& stream = state_->stream;
  isal_deflate_init(&stream);
  stream.gzip_flag = IGZIP_GZIP;
  stream.level = 1;
  stream.level_buf = state_->level_buffer.data();
  stream.level_buf_size = static_cast<std::uint32_t>(state_->level_buffer.size());
}
GzipSink::~GzipSink() = default;

Result<void> GzipSink::run(std::string_view input, bool last) {
  isal_zstream& stream = state_->stream;
  stream.next_in = bytes(const_cast<char*>(input.data()));
  stream.avail_in = static_cast<std::uint32_t>(input.size());
  stream.end_of_stream = last ? 1 : 0;
  do {
    stream.next_out = bytes(state_->output.data());
    stream.avail_out = static_cast<std::uint32_t>(state_->output.size());
    if (int error = isal_deflate(&stream); error != COMP_OK) return fail(ErrorCode::internal, "gzip: error {}", error);
    TRY_OK(inner_.write({state_->output.data(), state_->output.size() - stream.avail_out}));
  } while (stream.avail_out == 0);
  return {};
}

Result<void> GzipSink::write(std::string_view input) {
  constexpr std::size_t kPiece = 1 << 30;  // igzip counts in 32 bits
  for (; !input.empty(); input.remove_prefix(std::min(kPiece, input.size())))
    TRY_OK(run(input.substr(0, kPiece), false));
  return {};
}

Result<void> GzipSink::finish() { return run({}, true); }

struct ZstdSink::State {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  std::vector<char> output = std::vector<char>(kOutput);
  State() {
    if (context == nullptr) throw std::bad_alloc();
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, 1);
  }
  ~State() { ZSTD_freeCCtx(context); }

  Result<void> run(fs::Sink& sink, std::string_view bytes, ZSTD_EndDirective directive) {
    ZSTD_inBuffer input{bytes.data(), bytes.size(), 0};
    std::size_t left;
    do {
      ZSTD_outBuffer out{output.data(), output.size(), 0};
      left = ZSTD_compressStream2(context, &out, &input, directive);
      if (ZSTD_isError(left)) return fail(ErrorCode::internal, "zstd: {}", ZSTD_getErrorName(left));
      TRY_OK(sink.write({output.data(), out.pos}));
    } while (input.pos < input.size || (directive == ZSTD_e_end && left > 0));
    return {};
  }
};

ZstdSink::ZstdSink(fs::Sink& inner) : inner_(inner), state_(std::make_unique<State>()) {}
ZstdSink::~ZstdSink() = default;
Result<void> ZstdSink::write(std::string_view bytes) { return state_->run(inner_, bytes, ZSTD_e_continue); }
Result<void> ZstdSink::finish() { return state_->run(inner_, {}, ZSTD_e_end); }

}  // namespace berth::image
