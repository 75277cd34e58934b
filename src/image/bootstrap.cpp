// Store::bootstrap: a Debian (or like) image from packages, by mmdebstrap(1) run as a child.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>

#include "async/fd.h"
#include "base/text.h"
#include "image/detail/import.h"
#include "image/detail/reporter.h"
#include "image/detail/state.h"
#include "sys/file.h"
#include "sys/process.h"

namespace berth::image {

namespace {

constexpr const char* kProgram = "/usr/bin/mmdebstrap";
constexpr std::size_t kMaxLine = 4096;

struct Child {
  sys::Process process;
  sys::UniqueFd output;  // the root file system as a tar stream
  sys::UniqueFd errors;
};

Result<Child> start(const BootstrapRequest& request, const std::string& suite) {
  if (!sys::exists(kProgram))
    return fail(ErrorCode::unsupported, "mmdebstrap is not installed: apt-get install mmdebstrap");
  // Suites, packages and mirrors are arguments of a program that treats "-x" as an option.
  if (!oci::is_tag(suite)) return fail(ErrorCode::invalid, "invalid suite \"{}\"", suite);
  for (const std::string& package : request.packages)
    if (package.empty() || package.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789+-.:") != std::string::npos)
      return fail(ErrorCode::invalid, "invalid package name \"{}\"", package);
  if (!request.mirror.empty() && !request.mirror.starts_with("http://") && !request.mirror.starts_with("https://"))
    return fail(ErrorCode::invalid, "invalid mirror \"{}\": want an http or https URL", request.mirror);
  int output[2], errors[2];
  if (::pipe2(output, O_CLOEXEC) < 0) return fail_errno("pipe");
  sys::UniqueFd output_read(output[0]), output_write(output[1]);
  if (::pipe2(errors, O_CLOEXEC) < 0) return fail_errno("pipe");
  sys::UniqueFd errors_read(errors[0]), errors_write(errors[1]);
  sys::SpawnOptions options;
  options.argv = {kProgram, "--variant=minbase", "--format=tar"};
  if (!request.packages.empty()) options.argv.push_back("--include=" + join(request.packages, ","));
  options.argv.insert(options.argv.end(), {suite, "-"});
  if (!request.mirror.empty()) options.argv.push_back(request.mirror);
  options.fds = {{output_write.get(), 1}, {errors_write.get(), 2}};
  options.directory = "/";
  options.new_session = true;
  TRY(sys::Process process, sys::spawn(options));
  return Child{std::move(process), std::move(output_read), std::move(errors_read)};
}

// mmdebstrap says "I: running apt-get update...", "E: ..." a line each, with progress redrawn by '\r' in between.
async::Task<std::string> relay_lines(async::Loop& loop, sys::UniqueFd errors, Reporter& reporter) {
  async::Fd stream(loop, std::move(errors));
  std::array<char, 4096> buffer;
  std::string line, first_error;
  while (true) {
    Result<std::size_t> got = co_await stream.read_some(buffer);
    if (!got || *got == 0) break;
    for (char c : std::string_view(buffer.data(), *got)) {
      if (c != '\n' && c != '\r' && line.size() < kMaxLine) {
        line += c;
        continue;
      }
      // The later ones only say that this made all the rest fail.
      if (line.starts_with("E: ") && first_error.empty()) first_error = line.substr(3);
      if (line.starts_with("I: ")) reporter.status(line.substr(3));
      line.clear();
    }
  }
  co_return first_error;
}

void fill_in(ImportRequest& request, const std::string& suite) {
  oci::ContainerDefaults& config = request.config.config;
  if (!config.cmd && !config.entrypoint) config.cmd = {"bash"};
  bool has_path = false;
  for (const std::string& variable : config.env) has_path = has_path || variable.starts_with("PATH=");
  if (!has_path)
    config.env.insert(config.env.begin(), "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  config.labels.try_emplace("org.opencontainers.image.version", suite);
  config.labels.try_emplace("org.opencontainers.image.created", format_rfc3339(now()));
}

}  // namespace

async::Task<Result<ImagePtr>> Store::bootstrap(BootstrapRequest request, Progress progress) {
  State& state = *state_;
  Operation operation(state);
  Reporter reporter(state.loop, std::move(progress));
  std::string suite = request.suite.empty() ? request.reference.tag.value_or("") : request.suite;
  auto begin = [&request, &suite] { return start(request, suite); };
  Result<Child> child = co_await state.loop.blocking(std::move(begin));
  if (!child) co_return std::unexpected(std::move(child).error());

  std::string error;
  async::Event drained(state.loop);
  async::TaskGroup lines(state.loop);
  // error, drained and reporter live in this frame, which waits for the task below.
  auto relay = [](async::Loop& loop, sys::UniqueFd errors, Reporter& to, std::string& first,
                  async::Event& done) -> async::Task<> {
    first = co_await relay_lines(loop, std::move(errors), to);
    done.set();
  };
  lines.spawn("bootstrap output", relay(state.loop, std::move(child->errors), reporter, error, drained));

  ImportRequest import{request.reference, {}, fmt::format("mmdebstrap {}", suite)};
  import.config.config = request.config;
  fill_in(import, suite);
  auto output = std::make_shared<sys::UniqueFd>(std::move(child->output));
  auto process = std::make_shared<sys::Process>(std::move(child->process));
  MakeLayer make_layer = [output, process](const UnpackSettings& settings, Stage& stage,
                                           Reporter& to) -> Result<StagedLayer> {
    Result<StagedLayer> layer = unpack_stream(settings, stage, output->get(), to);
    output->reset();  // a child that still writes ends by this
    TRY(int status, process->wait());
    // A failed bootstrap may well have written a whole archive: its word counts first.
    if (status != 0) return fail(ErrorCode::io, "mmdebstrap failed");
    return layer;
  };
  Result<ImagePtr> image = co_await import_layer(state, std::move(import), std::move(make_layer), reporter);
  // When import_layer failed before it came to the child, the child still has to end and be reaped; else this is
  // nothing.
  output->reset();
  auto reap = [process] { (void)process->wait(); };
  co_await state.loop.blocking(std::move(reap));
  while (!drained.is_set()) co_await drained.wait();
  if (!image && !error.empty())
    co_return fail(ErrorCode::io, "bootstrap of {}: {}", request.reference.familiar(), error);
  co_return image;
}

}  // namespace berth::image
