// The course of a build: context, Dockerfile, stages, base images, tags.
#include "build/detail/build.h"

#include <algorithm>

#include "base/crash_point.h"
#include "base/text.h"
#include "build/detail/remote.h"
#include "fs/pattern.h"
#include "fs/tree.h"
#include "sys/file.h"

namespace berth::build {

using async::Task;
using image::ImagePtr;

namespace {

constexpr std::size_t kMaxDockerfile = 2 << 20;

std::string short_id(const ImagePtr& image) { return image ? std::string(image->id.short_hex()) : std::string(); }

// The labels that the request adds, as one more step.
Instruction label_step(const std::map<std::string, std::string>& labels) {
  auto quoted = [](std::string_view text) {
    std::string safe = "\"";
    for (char c : text) {
      if (c == '"' || c == '$' || c == '\\') safe += '\\';
      safe += c;
    }
    return safe + "\"";
  };
  Instruction step;
  step.name = step.text = "LABEL";
  for (const auto& [name, value] : labels) {
    step.rest += fmt::format("{}{}={}", step.rest.empty() ? "" : " ", quoted(name), quoted(value));
    step.text += fmt::format(" {}={}", name, value);
  }
  return step;
}

}  // namespace

Build::Build(Builder& builder, std::shared_ptr<Job> job, BuildRequest request)
    : builder_(builder),
      job_(std::move(job)),
      request_(std::move(request)),
      arguments_(request_.arguments, oci::host_platform(), request_.platform.value_or(oci::host_platform())),
      directory_(builder.work_directory() + "/" + random_hex(8)) {}

void Build::say(std::string text) {
  if (request_.quiet) {
    quiet_text_ += text;
    return;
  }
  image::ProgressEvent event;
  event.stream = std::move(text);
  if (job_->output_) job_->output_(event);
}

void Build::say_image(const ImagePtr& image) { say(fmt::format(" ---> {}\n", short_id(image))); }

Result<void> Build::check_cancelled() const {
  if (job_->cancel_.is_set()) return fail(ErrorCode::cancelled, "the build was cancelled");
  return {};
}

std::string Build::next_path(std::string_view word) { return fmt::format("{}/{}-{}", directory_, word, names_++); }

Task<Result<ImagePtr>> Build::run(sys::UniqueFd context) {
  auto image = co_await build(std::move(context));
  // What a failed quiet build would have said is told after all.
  if (!image && request_.quiet && !quiet_text_.empty()) {
    request_.quiet = false;
    say(std::move(quiet_text_));
  }
  context_.reset();
  stages_.clear();
  auto remove = [directory = directory_] { return fs::remove_tree(directory); };
  Result<void> removed = co_await loop().blocking(std::move(remove));
  if (image && !removed) co_return std::unexpected(std::move(removed).error());
  co_return image;
}

Task<Result<ImagePtr>> Build::build(sys::UniqueFd context) {
  CO_TRY_OK(sys::make_directory(directory_, 0711));
  CO_TRY_OK(co_await receive(std::move(context)));
  crash_point("build.context-received");
  CO_TRY_OK(check_cancelled());
  CO_TRY(plan_, read_plan());
  CO_TRY(std::size_t count, stages_until(plan_, request_.target));
  plan_.stages.resize(count);
  if (!request_.labels.empty()) plan_.stages.back().steps.push_back(label_step(request_.labels));
  steps_ = static_cast<int>(plan_.arguments.size());
  for (const Stage& stage : plan_.stages) steps_ += 1 + static_cast<int>(stage.steps.size());
  CO_TRY_OK(declare_arguments());
  // Steps refer to the states of earlier stages.
  stages_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) CO_TRY_OK(co_await build_stage(i));
  ImagePtr image = stages_.back().image;
  if (!image) co_return fail(ErrorCode::invalid, "No image was generated. Is your Dockerfile empty?");
  if (std::vector<std::string> unused = arguments_.unused(); !unused.empty())
    say(fmt::format("[Warning] One or more build-args [{}] were not consumed\n", join(unused, " ")));
  if (request_.quiet && job_->output_) {
    image::ProgressEvent event;
    event.stream = image->id.text() + "\n";
    job_->output_(event);
  }
  say(fmt::format("Successfully built {}\n", short_id(image)));
  CO_TRY_OK(co_await tag_all(image));
  co_return image;
}

Task<Result<void>> Build::receive(sys::UniqueFd archive) {
  std::string directory = directory_ + "/context";
  if (request_.remote.empty()) {
    CO_TRY(auto extracted, co_await images().extract(std::move(archive), directory));
    if (!extracted.is_archive) co_return fail(ErrorCode::invalid, "the build context is no tar archive");
  } else {
    RemoteContext remote{request_.remote, directory, next_path("download"), request_.dockerfile, job_->stop_};
    auto fetch = [&remote] { return fetch_context(remote); };
    CO_TRY(sys::UniqueFd download, co_await loop().dedicated(std::move(fetch)));
    if (download) {
      CO_TRY(auto extracted, co_await images().extract(std::move(download), directory));
      if (!extracted.is_archive) CO_TRY_OK(use_as_dockerfile(remote));
    }
    request_.dockerfile = remote.dockerfile;
  }
  CO_TRY(fs::RootDir root, fs::RootDir::open_host(directory + "/root"));
  context_ = std::make_shared<const fs::RootDir>(std::move(root));
  co_return Result<void>();
}

// The Dockerfile and the .dockerignore itself are the client's to send, even when they are to be left out.
Result<Plan> Build::read_plan() {
  std::string path = request_.dockerfile;
  if (path == "Dockerfile" && !context_->lstat(path) && context_->lstat("dockerfile")) path = "dockerfile";
  auto text = context_->read_file(path, kMaxDockerfile);
  if (!text && text.error().code() == ErrorCode::not_found)
    return fail(ErrorCode::io, "Cannot locate specified Dockerfile: {}", request_.dockerfile);
  if (!text) return std::unexpected(std::move(text).error());
  if (text->empty()) return fail(ErrorCode::invalid, "the Dockerfile ({}) cannot be empty", request_.dockerfile);
  if (auto ignored = context_->read_file(".dockerignore", kMaxDockerfile)) {
    TRY(fs::IgnoreList ignore, fs::IgnoreList::parse(*ignored));
    for (const std::string& name : {std::string(".dockerignore"), fs::clean_path(path)})
      if (ignore.excludes(name)) TRY_OK(context_->remove_file(name));
  }
  TRY(Dockerfile file, parse_dockerfile(*text));
  return plan_stages(std::move(file));
}

Result<void> Build::declare_arguments() {
  Lookup global = [this](std::string_view name) { return arguments_.global(name); };
  for (const Instruction& instruction : plan_.arguments) {
    say(fmt::format("Step {}/{} : {}", ++step_, steps_, instruction.text));
    say("\n");
    TRY(auto declared, arguments_of(instruction, plan_.escape));
    for (Argument& argument : declared) {
      if (argument.value) {
        TRY(argument.value, expand(*argument.value, global, plan_.escape));
      }
      arguments_.declare_global(argument.name, std::move(argument.value));
    }
  }
  return {};
}

Task<Result<void>> Build::build_stage(std::size_t index) {
  const Stage& stage = plan_.stages[index];
  StageState& state = stages_.emplace_back();
  state.name = stage.name;
  CO_TRY_OK(co_await begin_stage(stage, state));
  for (const Instruction& instruction : stage.steps) {
    CO_TRY_OK(check_cancelled());
    say(fmt::format("Step {}/{} : {}", ++step_, steps_, instruction.text));
    say("\n");
    CO_TRY_OK(co_await step(instruction, state));
  }
  if (!state.image || request_.quiet || !job_->output_) co_return Result<void>();
  image::ProgressEvent event;
  event.aux = json::Object{{"ID", state.image->id.text()}};
  job_->output_(event);
  co_return Result<void>();
}

Task<Result<void>> Build::begin_stage(const Stage& stage, StageState& state) {
  arguments_.begin_stage();
  say(fmt::format("Step {}/{} : {}", ++step_, steps_, stage.from.text));
  say("\n");
  Lookup global = [this](std::string_view name) { return arguments_.global(name); };
  CO_TRY(std::string name, expand(stage.image, global, plan_.escape));
  CO_TRY(std::string platform_text, expand(stage.platform, global, plan_.escape));
  if (name.empty()) co_return fail(ErrorCode::invalid, "base name ({}) should not be blank", stage.image);
  std::optional<oci::Platform> platform = request_.platform;
  if (!platform_text.empty()) {
    CO_TRY(platform, oci::parse_platform(platform_text));
  }
  if (name == "scratch") {
    say_image(nullptr);
    co_return Result<void>();
  }
  auto earlier = std::find_if(stages_.begin(), stages_.end() - 1, [&](const StageState& each) {
    return !each.name.empty() && each.name == to_lower(name);
  });
  if (earlier != stages_.end() - 1) {
    state.image = earlier->image;
    state.draft = earlier->draft;
    state.draft.cmd_was_set = false;
  } else {
    CO_TRY(state.image, co_await find_base(name, platform));
  }
  if (state.image) state.draft.config = state.image->config.config;
  if (!state.draft.config.on_build.empty()) co_return co_await run_triggers(state);
  say_image(state.image);
  co_return Result<void>();
}

Task<Result<ImagePtr>> Build::find_base(std::string name, std::optional<oci::Platform> platform) {
  auto local = images().find(name);
  bool fits = local && (!platform || ((*local)->config.architecture == platform->architecture));
  bool is_id = local && !oci::Reference::parse(name);
  if (fits && (!request_.pull || is_id)) co_return local;
  if (local && is_id) co_return local;
  if (!local && local.error().code() != ErrorCode::not_found) co_return local;
  CO_TRY(oci::Reference reference, oci::Reference::parse(name));
  co_return co_await pull(reference.with_default_tag(), platform);
}

namespace {

Task<> pull_in_group(image::Store& images, image::PullRequest request, image::Progress progress,
                     std::optional<Result<image::PullResult>>& result) {
  result.emplace(co_await images.pull(std::move(request), std::move(progress)));
}

Task<> cancel_with(async::Event& cancel, async::TaskGroup& pulling) {
  co_await cancel.wait();
  if (cancel.is_set()) pulling.cancel();
}

}  // namespace

Task<Result<ImagePtr>> Build::pull(oci::Reference reference, std::optional<oci::Platform> platform) {
  image::PullRequest request{.reference = reference, .platform = platform};
  // Clients name Docker Hub by its old address.
  std::string registry = reference.domain == "docker.io" ? "https://index.docker.io/v1/" : reference.domain;
  if (auto known = request_.credentials.find(registry); known != request_.credentials.end())
    request.credentials = known->second;
  image::Progress progress = [job = job_, quiet = request_.quiet](const image::ProgressEvent& event) {
    if (job->output_ && !quiet) job->output_(event);
  };
  // A pull ends early only by the cancellation of its task: it gets one of its own.
  std::optional<Result<image::PullResult>> result;
  async::TaskGroup pulling(loop()), watching(loop());
  pulling.spawn("pull of a base image", pull_in_group(images(), std::move(request), std::move(progress), result));
  watching.spawn("cancel the pull", cancel_with(job_->cancel_, pulling));
  co_await pulling.join();
  watching.cancel();
  co_await watching.join();
  if (!result) co_return fail(ErrorCode::cancelled, "the build was cancelled");
  if (!*result) co_return std::unexpected(std::move(*result).error());
  co_return (*result)->image;
}

// What the base image's ONBUILD asks for comes before the stage's own steps.
Task<Result<void>> Build::run_triggers(StageState& state) {
  std::vector<std::string> triggers = std::exchange(state.draft.config.on_build, {});
  say(fmt::format("# Executing {} build trigger{}", triggers.size(), triggers.size() > 1 ? "s" : ""));
  say("\n");
  for (const std::string& line : triggers) {
    CO_TRY(Dockerfile file, parse_dockerfile(line));
    for (const Instruction& instruction : file.instructions) {
      CO_TRY_OK(check_step(instruction, plan_.escape));
      CO_TRY_OK(co_await step(instruction, state));
    }
  }
  co_return Result<void>();
}

Task<Result<void>> Build::step(const Instruction& instruction, StageState& state) {
  if (instruction.name == "RUN") return run_command(instruction, state);
  if (instruction.name == "COPY" || instruction.name == "ADD") return copy(instruction, state);
  if (instruction.name == "ARG") return declare(instruction, state);
  return metadata(instruction, state);
}

Task<Result<void>> Build::metadata(const Instruction& instruction, StageState& state) {
  CO_TRY(std::string text, apply_metadata(instruction, variables(state), plan_.escape, state.draft));
  bool is_directory = instruction.name == "WORKDIR";
  StepResult result{nop(state, text, !is_directory), "", {}};
  if (is_directory) {
    CO_TRY(RootPtr root, root_of(state.image));
    CO_TRY(CopyPlan made, plan_directory(state.draft.config.working_dir, root));
    if (!made.directories.empty()) result.layer = [root, made](fs::Sink& sink) { return write_copy(made, root, sink); };
  }
  co_return co_await finish_step(state, std::move(result));
}

Task<Result<void>> Build::declare(const Instruction& instruction, StageState& state) {
  CO_TRY(auto declared, arguments_of(instruction, plan_.escape));
  std::string text = "ARG";
  for (Argument& argument : declared) {
    if (argument.value) {
      CO_TRY(argument.value, expand(*argument.value, variables(state), plan_.escape));
    }
    text += " " + argument.name + (argument.value ? "=" + *argument.value : "");
    arguments_.declare(argument.name, std::move(argument.value));
  }
  StepResult result{nop(state, text), "", {}};
  co_return co_await finish_step(state, std::move(result));
}

Task<Result<void>> Build::tag_all(ImagePtr image) {
  for (const oci::Reference& reference : request_.tags) {
    oci::Reference full = reference.with_default_tag();
    CO_TRY_OK(co_await images().tag(image->id.text(), full));
    crash_point("build.tagged");
    say(fmt::format("Successfully tagged {}\n", full.familiar()));
  }
  co_return Result<void>();
}

}  // namespace berth::build
