// RUN: a command in a container of its own, whose changes become a layer.
#include <sys/socket.h>

#include <array>

#include "async/fd.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "base/text.h"
#include "build/detail/build.h"
#include "build/detail/mounts.h"
#include "engine/changes.h"
#include "sys/unix_socket.h"

namespace berth::build {

using async::Task;
using ContainerPtr = std::shared_ptr<engine::Container>;

namespace {

// The lines of "RUN <<EOF", for the shell; "RUN cat <<EOF > x" is the shell's own to read.
std::string shell_text(const Instruction& instruction) {
  std::string text = instruction.rest;
  bool only_heredoc = instruction.heredocs.size() == 1 && !trim(text).contains(' ') && text.starts_with("<<");
  if (only_heredoc) return instruction.heredocs.front().content;
  for (const Heredoc& heredoc : instruction.heredocs) text += "\n" + heredoc.content + heredoc.name;
  return text;
}

// The container's output comes in frames: a byte for the stream, three of nothing, four of length (Docker's API,
// attach). Both streams are one text for the client, errors in red.
class FrameReader {
 public:
  // The texts of complete pieces; a frame may come in several.
  template <class Say>
  void take(std::string_view bytes, const Say& say) {
    while (!bytes.empty()) {
      if (left_ == 0) {
        std::size_t wanted = std::min(header_.size() - have_, bytes.size());
        std::copy_n(bytes.begin(), wanted, header_.begin() + static_cast<std::ptrdiff_t>(have_));
        have_ += wanted;
        bytes.remove_prefix(wanted);
        if (have_ < header_.size()) return;
        have_ = 0;
        for (std::size_t i = 4; i < header_.size(); ++i) left_ = (left_ << 8) | static_cast<unsigned char>(header_[i]);
        continue;
      }
      std::string_view piece = bytes.substr(0, left_);
      constexpr char kErrors = 2;
      say(header_[0] == kErrors ? fmt::format("\x1b[91m{}\x1b[0m", piece) : std::string(piece));
      left_ -= piece.size();
      bytes.remove_prefix(piece.size());
    }
  }

 private:
  std::array<char, 8> header_{};
  std::size_t have_ = 0;
  std::size_t left_ = 0;
};

}  // namespace

Task<> Build::kill_when_cancelled(ContainerPtr container) {
  co_await job_->cancel_.wait();
  if (job_->cancel_.is_set()) (void)co_await container->kill("SIGKILL", container->id());
}

Task<Result<void>> Build::execute(ContainerPtr container, std::string command) {
  CO_TRY(auto ends, sys::socket_pair(SOCK_STREAM));
  engine::AttachOptions both;
  CO_TRY_OK(co_await container->attach(std::move(ends.second), "", both));
  CO_TRY_OK(co_await container->start());
  async::TaskGroup watching(loop());
  watching.spawn("cancel a build step", kill_when_cancelled(container));
  async::Fd output(loop(), std::move(ends.first));
  std::string buffer(64 << 10, '\0');
  FrameReader frames;
  while (true) {
    auto got = co_await output.read_some(buffer);
    if (!got || *got == 0) break;
    frames.take(std::string_view(buffer).substr(0, *got), [this](std::string text) { say(std::move(text)); });
  }
  auto ended = co_await container->wait(engine::WaitCondition::not_running);
  watching.cancel();
  co_await watching.join();
  CO_TRY_OK(check_cancelled());
  if (!ended) co_return std::unexpected(std::move(ended).error());
  if (ended->exit_code == 0) co_return Result<void>();
  exit_code_ = ended->exit_code;
  co_return fail(ErrorCode::io, "The command '{}' returned a non-zero code: {}", command, exit_code_);
}

Task<Result<void>> Build::run_command(const Instruction& instruction, StageState& state) {
  const oci::ContainerDefaults& config = state.draft.config;
  std::vector<std::string> words;
  if (auto exec = parse_exec_form(instruction.rest); exec && !exec->empty()) {
    words = *exec;
  } else {
    words = shell_of(config);
    words.push_back(shell_text(instruction));
  }
  CO_TRY(RunFlags flags, run_flags_of(instruction));
  std::vector<RunMount> mounts;
  std::string key = flags.network;
  for (const std::string& text : flags.mounts) {
    CO_TRY(std::string expanded, expand(text, variables(state), plan_.escape));
    CO_TRY(RunMount mount, parse_run_mount(expanded));
    mounts.push_back(std::move(mount));
    key += "\n" + expanded;
  }
  std::vector<std::string> declared = arguments_.declared(config.env);
  std::string history = declared.empty() ? "" : fmt::format("|{} {} ", declared.size(), join(declared, " "));
  history += join(words, " ");

  StepMounts prepared(*this);
  auto done = co_await prepared.prepare(std::move(mounts), config.working_dir);
  if (done) {
    RunStep step{std::move(words), std::move(history), key + prepared.digest(), flags.network};
    done = co_await run_prepared(std::move(step), state, prepared);
  }
  co_await prepared.release();
  co_return done;
}

Task<Result<void>> Build::run_prepared(RunStep step, StageState& state, StepMounts& mounts) {
  StepResult result{step.history, step.key, {}};
  CO_TRY(bool cached, co_await from_cache(state, result));
  if (cached) co_return Result<void>();
  if (!state.image) CO_TRY_OK(co_await make_empty_image(state));
  CO_TRY(ContainerPtr container, co_await make_container(step, state, mounts));
  crash_point("build.container-made");
  say(fmt::format(" ---> Running in {}\n", container->id().substr(0, 12)));
  std::string command = join(step.words, " ");
  auto done = co_await execute(container, std::move(command));
  if (done) {
    crash_point("build.command-run");
    engine::UpperLayer upper{container->upper_dir(), container->layers(), mounts.targets()};
    result.layer = [upper](fs::Sink& sink) { return engine::pack_changes(upper, sink); };
    if (request_.remove) say(fmt::format("Removing intermediate container {}\n", container->id().substr(0, 12)));
    done = co_await finish_made(state, std::move(result));
  }
  // As for Docker, the container of a failed step stays to be looked at, unless --force-rm; that of an aborted one not.
  bool keep = done ? !request_.remove : !request_.force_remove && !job_->cancel_.is_set();
  if (keep) {
    auto kept = co_await builder_.engine().keep(container);
    if (done && !kept) co_return kept;
  } else {
    engine::RemoveOptions options{.force = true, .remove_volumes = true};
    auto removed = co_await builder_.engine().remove(container, options);
    if (!removed && removed.error().code() != ErrorCode::not_found)
      log::error("container of a build not removed",
                 {{"container", container->id()}, {"error", removed.error().text()}});
  }
  co_return done;
}

// FROM scratch and at once RUN: a container needs an image, even an empty one.
Task<Result<void>> Build::make_empty_image(StageState& state) {
  image::DeriveRequest request;
  request.config.config = state.draft.config;
  request.config.created = now();
  CO_TRY(state.image, co_await images().derive(std::move(request), {}));
  co_return Result<void>();
}

Task<Result<ContainerPtr>> Build::make_container(const RunStep& step, const StageState& state,
                                                 const StepMounts& mounts) {
  engine::CreateRequest request;
  engine::ContainerSpec& spec = request.spec;
  spec.image = state.image->id.text();
  spec.process.env = arguments_.for_run(state.draft.config.env);
  spec.process.env.insert(spec.process.env.end(), mounts.env().begin(), mounts.env().end());
  request.entrypoint = std::vector<std::string>{""};
  request.cmd = step.words;
  spec.resources = request_.resources;
  spec.shm_size = request_.shm_size;
  spec.extra_hosts = request_.extra_hosts;
  if (!request_.network.empty() && request_.network != "default") spec.network = request_.network;
  if (!step.network.empty() && step.network != "default") spec.network = step.network;
  spec.mounts = mounts.mounts();
  spec.tmpfs = mounts.tmpfs();
  spec.log.driver = "none";
  spec.transient = true;
  co_return co_await builder_.engine().create(std::move(request));
}

}  // namespace berth::build
