#include "image/detail/unpack.h"

#include <sys/xattr.h>

#include "base/json.h"
#include "base/text.h"
#include "fs/digest.h"
#include "fs/root_dir.h"
#include "fs/untar.h"
#include "image/detail/compression.h"
#include "image/detail/jail.h"

namespace berth::image {

namespace {

// Hashes what passes and bounds it.
class HashedSource : public fs::Source {
 public:
  HashedSource(fs::Source& inner, std::uint64_t limit) : inner_(inner), left_(limit) {}
  Result<std::size_t> read(std::span<char> into) override {
    TRY(std::size_t got, inner_.read(into));
    if (got > left_) return fail(ErrorCode::exhausted, "the layer's tar stream is too long");
    left_ -= got;
    count_ += got;
    hash_.update({into.data(), got});
    return got;
  }
  std::string hex() const { return hash_.hex(); }
  std::uint64_t count() const { return count_; }

 private:
  fs::Source& inner_;
  std::uint64_t left_;
  std::uint64_t count_ = 0;
  fs::Sha256 hash_;
};

// Error texts hold names from the archive, which may be no UTF-8: JSON must carry them, and people read them.
std::string printable(std::string_view text) {
  std::string clean;
  for (char c : text) {
    if (c >= ' ' && c <= '~') {
      clean += c;
    } else {
      clean += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return clean;
}

UnpackReport failed(const Error& error) {
  UnpackReport report;
  report.error_code = static_cast<int>(error.code());
  report.error = printable(error.text());
  return report;
}

// Inside the jail: "/" is the layer's directory.
Result<UnpackReport> extract(const UnpackLimits& limits) {
  TRY(fs::RootDir root, fs::RootDir::open_host("/"));
  fs::FdSource input(0);
  Decompressor plain(input);
  // Headers, padding and what follows the archive's end come on top of the files' content.
  HashedSource hashed(plain, limits.bytes + limits.bytes / 8 + limits.entries * 2048 + (16 << 20));
  fs::FdSink outline_file(kUnpackOutlineFd);
  ZstdSink outline(outline_file);
  fs::UntarOptions options;
  options.limits.headers = limits.entries * 2;
  options.max_entries = limits.entries;
  options.max_bytes = limits.bytes;
  options.whiteouts = fs::Whiteouts::overlay;
  options.raw = &outline;
  TRY(fs::UntarReport done, fs::untar(hashed, root, options));
  TRY_OK(outline.finish());
  UnpackReport report;
  report.diff_id = hashed.hex();
  report.stream_bytes = hashed.count();
  report.bytes = done.bytes;
  report.entries = done.entries;
  report.skipped_devices = done.skipped_devices;
  report.overlapping = done.overlapping;
  for (const std::string& path : done.opaque) report.opaque.push_back(base64_encode(path));
  return report;
}

// Outside the jail, because trusted.* attributes want CAP_SYS_ADMIN of the initial user namespace. The paths come from
// the jail, so they are opened without following anything.
Result<void> mark_opaque(const std::string& directory, const std::vector<std::string>& paths) {
  TRY(fs::RootDir root, fs::RootDir::open_host(directory));
  for (const std::string& encoded : paths) {
    TRY(std::string path, base64_decode(encoded));
    TRY(sys::UniqueFd fd, root.open_beneath(path.empty() ? "." : path, O_RDONLY | O_DIRECTORY));
    if (::fsetxattr(fd.get(), "trusted.overlay.opaque", "y", 1, 0) < 0) return fail_errno("mark " + path + " opaque");
  }
  return {};
}

Result<UnpackReport> unpack(const std::string& directory, const UnpackLimits& limits) {
  auto work = [&limits] {
    auto report = extract(limits);
    return json::print(json::encode(report ? *report : failed(report.error())));
  };
  TRY(std::string text, run_in_jail(directory, {0, 2, kUnpackOutlineFd}, work));
  TRY(json::Value value, json::parse(text));
  TRY(UnpackReport report, json::decode<UnpackReport>(value));
  if (report.error_code == -1) TRY_OK(mark_opaque(directory, report.opaque));
  report.opaque.clear();
  return report;
}

}  // namespace

UnpackReport unpack_here(const std::string& directory, const UnpackLimits& limits) {
  auto report = unpack(directory, limits);
  return report ? *std::move(report) : failed(report.error());
}

}  // namespace berth::image
