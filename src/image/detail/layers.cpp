#include "image/detail/layers.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <vector>

#include "base/json.h"
#include "fs/digest.h"
#include "fs/root_dir.h"
#include "fs/tar.h"
#include "image/detail/compression.h"
#include "sys/file.h"

namespace berth::image {

namespace {

constexpr std::size_t kPipe = 1 << 20;
constexpr std::size_t kMaxReport = 1 << 20;

Result<std::pair<sys::UniqueFd, sys::UniqueFd>> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return fail_errno("pipe");
  return std::pair(sys::UniqueFd(ends[0]), sys::UniqueFd(ends[1]));
}

Result<UnpackReport> read_report(int fd) {
  fs::FdSource source(fd);
  std::string text(kMaxReport, '\0');
  TRY(std::size_t got, fs::read_full(source, text));
  text.resize(got);
  if (text.empty()) return fail(ErrorCode::internal, "berth-unpack gave no report");
  TRY(json::Value value, json::parse(text));
  return json::decode<UnpackReport>(value);
}

Error error_of(const UnpackReport& report) {
  bool known = report.error_code >= 0 && report.error_code <= static_cast<int>(ErrorCode::not_modified);
  return Error(known ? static_cast<ErrorCode>(report.error_code) : ErrorCode::internal, report.error);
}

}  // namespace

Result<Unpacking> Unpacking::start(const UnpackSettings& settings, const std::string& directory) {
  Unpacking self;
  self.directory_ = directory;
  TRY_OK(sys::make_directory(directory, 0700));
  std::string root = directory + "/root";
  TRY_OK(sys::make_directory(root, 0755));
  // Whatever the umask is: an archive without an entry for its root means this.
  if (::chmod(root.c_str(), 0755) < 0) return fail_errno("chmod " + root);
  TRY(sys::UniqueFd outline, sys::open_file(directory + "/outline", O_WRONLY | O_CREAT | O_EXCL, 0600));
  TRY(auto input, make_pipe());
  TRY(auto report, make_pipe());
  // A larger pipe saves switches between the two; where the user's limit forbids it, the default does.
  (void)::fcntl(input.second.get(), F_SETPIPE_SZ, kPipe);
  sys::SpawnOptions options;
  options.argv = {settings.program, root, fmt::format("{}", settings.limits.bytes),
                  fmt::format("{}", settings.limits.entries), settings.limits.plain ? "plain" : "layer"};
  options.env = std::vector<std::string>{};
  options.fds = {{input.first.get(), 0}, {report.second.get(), 1}, {2, 2}, {outline.get(), kUnpackOutlineFd}};
  TRY(self.child_, sys::spawn(options));
  self.input_ = std::move(input.second);
  self.report_ = std::move(report.first);
  return self;
}

Unpacking::~Unpacking() {
  if (!child_.valid()) return;
  (void)child_.signal(SIGKILL);
  (void)child_.wait();
}

Result<void> Unpacking::write(std::string_view bytes) {
  auto written = sys::write_all(input_.get(), bytes);
  if (written || written.error().errno_value() != EPIPE) return written;
  given_up_ = true;
  return fail(ErrorCode::cancelled, "berth-unpack has given up");
}

Result<StagedLayer> Unpacking::finish() {
  input_.reset();
  auto report = read_report(report_.get());
  TRY(int status, child_.wait());
  child_ = {};
  if (!report) return std::unexpected(std::move(report).error());
  if (report->error_code != -1) return std::unexpected(error_of(*report));
  if (status != 0) return fail(ErrorCode::internal, "berth-unpack failed with {}", sys::exit_code_of(status));
  return StagedLayer{report->diff_id, directory_, report->bytes, report->stream_bytes, report->overlapping};
}

Result<void> activate(const Paths& paths, const StagedLayer& layer) {
  std::string target = paths.layer(layer.diff_id);
  if (sys::exists(target)) return {};
  // The layer counts as there from the second rename on.
  if (::rename((layer.directory + "/outline").c_str(), paths.outline(layer.diff_id).c_str()) < 0 ||
      ::rename((layer.directory + "/root").c_str(), target.c_str()) < 0)
    return fail_errno("activate layer " + layer.diff_id);
  return {};
}

namespace {

class HashingSink : public fs::Sink {
 public:
  explicit HashingSink(fs::Sink& inner) : inner_(inner) {}
  Result<void> write(std::string_view bytes) override {
    hash_.update(bytes);
    return inner_.write(bytes);
  }
  std::string hex() const { return hash_.hex(); }

 private:
  fs::Sink& inner_;
  fs::Sha256 hash_;
};

Result<void> copy_content(const fs::RootDir& root, const fs::tar::Entry& entry, fs::Sink& sink,
                          std::vector<char>& buffer) {
  TRY(sys::UniqueFd file, root.open(fs::clean_path(entry.path), O_RDONLY | O_NOFOLLOW));
  fs::FdSource source(file.get());
  for (std::uint64_t left = entry.size; left > 0;) {
    std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left, buffer.size()));
    TRY(std::size_t got, source.read(std::span<char>(buffer).first(wanted)));
    if (got == 0) return fail(ErrorCode::internal, "{} is shorter than when it was extracted", entry.path);
    TRY_OK(sink.write({buffer.data(), got}));
    left -= got;
  }
  return {};
}

}  // namespace

Result<void> rebuild(const Paths& paths, const std::string& diff_id, fs::Sink& sink) {
  TRY(fs::RootDir root, fs::RootDir::open_host(paths.layer(diff_id)));
  TRY(sys::UniqueFd outline, sys::open_file(paths.outline(diff_id), O_RDONLY));
  fs::FdSource compressed(outline.get());
  Decompressor plain(compressed);
  HashingSink hashed(sink);
  fs::tar::Reader reader(plain, {.raw = &hashed, .without_payload = true});
  std::vector<char> buffer(256 << 10);
  while (true) {
    TRY(std::optional<fs::tar::Entry> entry, reader.next());
    if (!entry) break;
    if (entry->type == fs::tar::Type::file && !entry->sparse && entry->size > 0)
      TRY_OK(copy_content(root, *entry, hashed, buffer));
  }
  if (hashed.hex() != diff_id)
    return fail(ErrorCode::internal, "layer sha256:{} cannot be made again: its files have changed", diff_id);
  return {};
}

}  // namespace berth::image
