// Dockerfiles and .dockerignores: whatever they are, reading them ends, in bounded memory, and a plan keeps its
// promises.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "build/metadata.h"
#include "build/stages.h"
#include "build/words.h"
#include "fs/pattern.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace berth;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto ignore = fs::IgnoreList::parse(text)) (void)ignore->excludes("a/b/c");
  auto file = build::parse_dockerfile(text);
  if (!file) return 0;
  if (file->instructions.empty()) std::abort();
  char escape = file->escape;
  auto plan = build::plan_stages(*std::move(file));
  if (!plan) return 0;
  if (plan->stages.empty()) std::abort();
  for (const build::Stage& stage : plan->stages) {
    build::Draft draft;
    for (const build::Instruction& step : stage.steps) {
      std::vector<std::string> env = draft.config.env;
      if (build::is_metadata(step.name)) (void)build::apply_metadata(step, build::variables_of(env), escape, draft);
      (void)build::expand_words(step.rest, build::variables_of(env), escape);
      if (step.name == "RUN")
        for (const std::string& mount : build::run_flags_of(step)->mounts) (void)build::parse_run_mount(mount);
    }
  }
  return 0;
}
