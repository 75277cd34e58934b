// One build, from its context to its tags.
//
// Thread: the loop's; trees, hashes and archives are worked on elsewhere. Nothing here is cancelled from outside: a job
// that was cancelled is noticed between steps, and ends the command of a running one.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "build/arguments.h"
#include "build/builder.h"
#include "build/copy.h"
#include "build/metadata.h"
#include "build/stages.h"

namespace berth::build {

// What a stage has come to.
struct StageState {
  std::string name;
  Draft draft;
  image::ImagePtr image;    // of the last step; null while nothing was made from scratch
  bool cache_lost = false;  // a step was made anew, so later ones must be
};

// A step that is about to give an image.
struct StepResult {
  std::string history;      // created_by
  std::string key;          // what else the cache must know; not shown
  image::WriteLayer layer;  // empty: the configuration only
};

// A command that is about to run.
struct RunStep {
  std::vector<std::string> words;
  std::string history;
  std::string key;
  std::string network;
};

class StepMounts;

class Build {
 public:
  Build(Builder& builder, std::shared_ptr<Job> job, BuildRequest request);
  async::Task<Result<image::ImagePtr>> run(sys::UniqueFd context);
  int exit_code() const { return exit_code_; }

 private:
  // build.cpp: the whole and its stages
  async::Task<Result<image::ImagePtr>> build(sys::UniqueFd context);
  async::Task<Result<void>> receive(sys::UniqueFd context);
  Result<Plan> read_plan();
  Result<void> declare_arguments();
  async::Task<Result<void>> build_stage(std::size_t index);
  async::Task<Result<void>> begin_stage(const Stage& stage, StageState& state);
  async::Task<Result<image::ImagePtr>> find_base(std::string name, std::optional<oci::Platform> platform);
  async::Task<Result<image::ImagePtr>> pull(oci::Reference reference, std::optional<oci::Platform> platform);
  async::Task<Result<void>> run_triggers(StageState& state);
  async::Task<Result<void>> step(const Instruction& instruction, StageState& state);
  async::Task<Result<void>> tag_all(image::ImagePtr image);
  async::Task<Result<void>> metadata(const Instruction& instruction, StageState& state);
  async::Task<Result<void>> declare(const Instruction& instruction, StageState& state);

  // steps.cpp: what a step leaves, and the cache
  std::string step_key(const StageState& state, const StepResult& result) const;
  async::Task<Result<bool>> from_cache(StageState& state, const StepResult& result);
  async::Task<Result<bool>> from_sources(StageState& state, const StepResult& result);
  bool sources_descend_from(const image::ImagePtr& image) const;
  // Looks into the cache, and makes the image when it is not there; or makes it in any case.
  async::Task<Result<void>> finish_step(StageState& state, StepResult result);
  async::Task<Result<void>> finish_made(StageState& state, StepResult result);
  std::string nop(const StageState& state, std::string_view text, bool spaced = true) const;
  Lookup variables(const StageState& state) const;
  Result<RootPtr> root_of(const image::ImagePtr& image) const;

  // copy_step.cpp
  async::Task<Result<void>> copy(const Instruction& instruction, StageState& state);
  async::Task<Result<std::vector<CopySource>>> copy_sources(const Instruction& instruction, const StageState& state);
  async::Task<Result<CopySource>> fetch_source(std::string url, std::string checksum);
  Result<std::vector<CopySource>> heredoc_sources(const Instruction& instruction, const StageState& state,
                                                  std::vector<std::string>& words);
  async::Task<Result<void>> extract_archives(std::vector<CopySource>& sources);
  async::Task<Result<RootPtr>> root_of_name(std::string name);

  // run_step.cpp
  async::Task<Result<void>> run_command(const Instruction& instruction, StageState& state);
  async::Task<Result<void>> run_prepared(RunStep step, StageState& state, StepMounts& mounts);
  async::Task<Result<void>> make_empty_image(StageState& state);
  async::Task<Result<std::shared_ptr<engine::Container>>> make_container(const RunStep& step, const StageState& state,
                                                                         const StepMounts& mounts);
  async::Task<Result<void>> execute(std::shared_ptr<engine::Container> container, std::string command);
  async::Task<> kill_when_cancelled(std::shared_ptr<engine::Container> container);

  void say(std::string text);
  void say_image(const image::ImagePtr& image);
  Result<void> check_cancelled() const;
  std::string next_path(std::string_view word);  // a new name in the build's directory
  async::Loop& loop() const { return builder_.engine().parts().loop; }
  image::Store& images() const { return builder_.engine().parts().images; }

  Builder& builder_;
  std::shared_ptr<Job> job_;
  BuildRequest request_;
  Arguments arguments_;
  Plan plan_;
  std::string directory_;
  RootPtr context_;
  std::vector<StageState> stages_;
  std::string quiet_text_;  // kept back, told when the build fails
  int step_ = 0;
  int steps_ = 0;
  int names_ = 0;
  int exit_code_ = 0;

  friend class StepMounts;
};

}  // namespace berth::build
