// COPY and ADD: where the files come from, and their layer.
#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "build/detail/build.h"
#include "build/detail/remote.h"
#include "sys/file.h"

namespace berth::build {

using async::Task;

namespace {

bool is_url(std::string_view text) { return text.starts_with("http://") || text.starts_with("https://"); }

// "/work" and "sub/" -> "/work/sub/"; the slash at the end, or a last "." says that it is a directory.
std::string absolute_target(std::string_view directory, std::string_view target) {
  bool is_directory = target.ends_with('/') || target == "." || target.ends_with("/.");
  std::string path = target.starts_with('/') ? std::string(target) : fmt::format("{}/{}", directory, target);
  std::string clean = "/" + fs::clean_path(path);
  return is_directory && clean != "/" ? clean + "/" : clean;
}

Result<std::uint32_t> mode_of(std::string_view text) {
  auto mode = parse_number<std::uint32_t>(text, 8);
  if (!mode || *mode > 07777)
    return fail(ErrorCode::invalid, "invalid chmod parameter: '{}'. it should be octal string and between 0 and 07777",
                text);
  return *mode;
}

}  // namespace

// A stage by name or number, or an image.
Task<Result<RootPtr>> Build::root_of_name(std::string name) {
  for (std::size_t i = 0; i + 1 < stages_.size(); ++i)
    if (!stages_[i].name.empty() && stages_[i].name == to_lower(name)) co_return root_of(stages_[i].image);
  if (auto number = parse_number<int>(name)) {
    if (*number < 0 || static_cast<std::size_t>(*number) + 1 >= stages_.size())
      co_return fail(ErrorCode::invalid, "invalid from flag value {}: index out of bounds", name);
    co_return root_of(stages_[static_cast<std::size_t>(*number)].image);
  }
  auto image = co_await find_base(name, request_.platform);
  if (!image) co_return std::unexpected(std::move(image).error().with(fmt::format("invalid from flag value {}", name)));
  co_return root_of(*image);
}

// Takes the words "<<NAME" out and gives the files that they stand for.
Result<std::vector<CopySource>> Build::heredoc_sources(const Instruction& instruction, const StageState& state,
                                                       std::vector<std::string>& words) {
  std::vector<CopySource> sources;
  if (instruction.heredocs.empty()) return sources;
  std::string directory = next_path("heredocs");
  TRY_OK(sys::make_directory(directory, 0700));
  TRY(fs::RootDir opened, fs::RootDir::open_host(directory));
  auto root = std::make_shared<const fs::RootDir>(std::move(opened));
  std::erase_if(words, [](const std::string& word) { return word.contains("<<"); });
  for (const Heredoc& heredoc : instruction.heredocs) {
    std::string content = heredoc.content;
    if (heredoc.expand) {
      TRY(content, expand_variables(content, variables(state), plan_.escape));
    }
    TRY_OK(root->replace_file(heredoc.name, content, 0644));
    sources.push_back({root, "/" + heredoc.name, heredoc.name});
  }
  return sources;
}

Task<Result<CopySource>> Build::fetch_source(std::string url, std::string checksum) {
  std::string name = url.substr(0, url.find_first_of("?#"));
  name = name.substr(name.rfind('/') + 1);
  if (name.empty() || name == "." || name == "..") name = "download";
  std::string directory = next_path("remote");
  CO_TRY_OK(sys::make_directory(directory, 0700));
  auto fetch = [url, path = directory + "/" + name, checksum, stop = job_->stop_] {
    return fetch_file(url, path, checksum, stop);
  };
  Result<void> fetched = co_await loop().dedicated(std::move(fetch));
  CO_TRY_OK(std::move(fetched));
  CO_TRY(fs::RootDir root, fs::RootDir::open_host(directory));
  co_return CopySource{std::make_shared<const fs::RootDir>(std::move(root)), "/" + name, name};
}

Task<Result<std::vector<CopySource>>> Build::copy_sources(const Instruction& instruction, const StageState& state) {
  CO_TRY(CopyFlags flags, copy_flags_of(instruction));
  std::vector<std::string> words = copy_words_of(instruction, plan_.escape);
  words.pop_back();
  CO_TRY(auto sources, heredoc_sources(instruction, state, words));
  SourceQuery query{context_, {}, true, instruction.name};
  if (!flags.from.empty()) {
    CO_TRY(std::string from, expand(flags.from, variables(state), plan_.escape));
    CO_TRY(query.root, co_await root_of_name(std::move(from)));
    query.root_is_context = false;
    if (!query.root)
      co_return fail(ErrorCode::not_found, "{} failed: stat {}: file does not exist", instruction.name,
                     words.empty() ? "" : words.front());
  }
  std::vector<CopySource> remote;
  for (const std::string& word : words) {
    CO_TRY(std::string source, expand(word, variables(state), plan_.escape));
    if (instruction.name == "ADD" && is_url(source)) {
      CO_TRY(CopySource fetched, co_await fetch_source(std::move(source), flags.checksum));
      remote.push_back(std::move(fetched));
    } else {
      query.patterns.push_back(std::move(source));
    }
  }
  if (!query.patterns.empty()) {
    auto resolve = [&query] { return resolve_sources(query); };
    CO_TRY(auto found, co_await loop().blocking(std::move(resolve)));
    // Only what was in the context is extracted, never what was fetched.
    if (instruction.name == "ADD") CO_TRY_OK(co_await extract_archives(found));
    sources.insert(sources.end(), found.begin(), found.end());
  }
  sources.insert(sources.end(), remote.begin(), remote.end());
  co_return sources;
}

// ADD puts what is in a local archive in its place.
Task<Result<void>> Build::extract_archives(std::vector<CopySource>& sources) {
  for (CopySource& source : sources) {
    CO_TRY(bool may_be, may_be_archive(source));
    if (!may_be) continue;
    std::string directory = next_path("archive");
    CO_TRY(sys::UniqueFd file, source.root->open(source.path, O_RDONLY | O_NOFOLLOW));
    CO_TRY(auto extracted, co_await images().extract(std::move(file), directory));
    if (!extracted.is_archive) continue;
    CO_TRY(fs::RootDir root, fs::RootDir::open_host(directory + "/root"));
    source = {std::make_shared<const fs::RootDir>(std::move(root)), "/", "", true, true};
  }
  co_return Result<void>();
}

Task<Result<void>> Build::copy(const Instruction& instruction, StageState& state) {
  CO_TRY(CopyFlags flags, copy_flags_of(instruction));
  CO_TRY(auto sources, co_await copy_sources(instruction, state));
  CO_TRY(RootPtr image, root_of(state.image));
  CopyOptions options{.instruction = instruction.name};
  CO_TRY(std::string target, expand(copy_words_of(instruction, plan_.escape).back(), variables(state), plan_.escape));
  options.target = absolute_target(state.draft.config.working_dir, target);
  CO_TRY(std::string chown, expand(flags.chown, variables(state), plan_.escape));
  if (!chown.empty()) {
    CO_TRY(options.owner, find_owner(chown, image));
  }
  CO_TRY(std::string chmod, expand(flags.chmod, variables(state), plan_.escape));
  if (!chmod.empty()) {
    CO_TRY(options.mode, mode_of(chmod));
  }
  if (options.owner)
    for (CopySource& source : sources) source.keeps_owner = false;
  std::string shown_target = options.target;
  auto plan = [&sources, image, options] { return plan_copy(sources, image, options); };
  Result<CopyPlan> planned = co_await loop().dedicated(std::move(plan));
  CO_TRY(CopyPlan made, std::move(planned));
  std::string history = fmt::format("{} {}{}{} in {} ", instruction.name, chown.empty() ? "" : "--chown=" + chown + " ",
                                    chmod.empty() ? "" : "--chmod=" + chmod + " ", made.digest, shown_target);
  StepResult result{nop(state, history, false), "", {}};
  if (options.owner) result.key = fmt::format("{}:{}", options.owner->first, options.owner->second);
  auto shared = std::make_shared<const CopyPlan>(std::move(made));
  result.layer = [shared, image](fs::Sink& sink) { return write_copy(*shared, image, sink); };
  co_return co_await finish_step(state, std::move(result));
}

}  // namespace berth::build
