#include "engine/seccomp_filter.h"

#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "base/log.h"
#include "base/text.h"
#include "engine/seccomp.h"
#include "sys/unique_fd.h"

namespace berth::engine {

namespace {

struct Release {
  void operator()(void* filter) const { ::seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, Release>;

Result<std::uint32_t> architecture_of(std::string_view name) {
  constexpr std::pair<std::string_view, std::uint32_t> kKnown[] = {{"SCMP_ARCH_X86_64", SCMP_ARCH_X86_64},
                                                                   {"SCMP_ARCH_X86", SCMP_ARCH_X86},
                                                                   {"SCMP_ARCH_X32", SCMP_ARCH_X32},
                                                                   {"SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64},
                                                                   {"SCMP_ARCH_ARM", SCMP_ARCH_ARM}};
  for (const auto& [known, value] : kKnown)
    if (known == name) return value;
  return fail(ErrorCode::unsupported, "unknown architecture {}", name);
}

Result<scmp_compare> operation_of(std::string_view name) {
  constexpr std::pair<std::string_view, scmp_compare> kKnown[] = {{"SCMP_CMP_NE", SCMP_CMP_NE},
                                                                  {"SCMP_CMP_LT", SCMP_CMP_LT},
                                                                  {"SCMP_CMP_LE", SCMP_CMP_LE},
                                                                  {"SCMP_CMP_EQ", SCMP_CMP_EQ},
                                                                  {"SCMP_CMP_GE", SCMP_CMP_GE},
                                                                  {"SCMP_CMP_GT", SCMP_CMP_GT},
                                                                  {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ}};
  for (const auto& [known, value] : kKnown)
    if (known == name) return value;
  return fail(ErrorCode::unsupported, "unknown comparison {}", name);
}

Result<std::uint32_t> action_of(const json::Value& rule, std::string_view key, std::string_view errno_key) {
  std::string action = json::string_or(rule, key);
  if (action == "SCMP_ACT_ALLOW") return SCMP_ACT_ALLOW;
  if (action == "SCMP_ACT_ERRNO")
    return SCMP_ACT_ERRNO(static_cast<std::uint16_t>(json::int_or(rule, errno_key, EPERM)));
  return fail(ErrorCode::unsupported, "unknown action {}", action);
}

Result<std::vector<scmp_arg_cmp>> arguments_of(const json::Value& rule) {
  std::vector<scmp_arg_cmp> arguments;
  const json::Value* list = json::find(rule, "args");
  if (list == nullptr) return arguments;
  for (const json::Value& argument : list->as_array()) {
    TRY(scmp_compare operation, operation_of(json::string_or(argument, "op")));
    arguments.push_back({static_cast<unsigned>(json::int_or(argument, "index")), operation,
                         static_cast<scmp_datum_t>(json::int_or(argument, "value")),
                         static_cast<scmp_datum_t>(json::int_or(argument, "valueTwo"))});
  }
  return arguments;
}

Result<void> add_rule(scmp_filter_ctx filter, const json::Value& rule) {
  TRY(std::uint32_t action, action_of(rule, "action", "errnoRet"));
  TRY(std::vector<scmp_arg_cmp> arguments, arguments_of(rule));
  for (const json::Value& name : rule.at("names").as_array()) {
    int number = ::seccomp_syscall_resolve_name(std::string(name.as_string()).c_str());
    if (number == __NR_SCMP_ERROR) continue;
    int failed =
        ::seccomp_rule_add_array(filter, action, number, static_cast<unsigned>(arguments.size()), arguments.data());
    // EDOM: a call that this architecture does not have.
    if (failed != 0 && failed != -EDOM && failed != -EEXIST)
      return fail_errno(-failed, "add a rule for " + std::string(name.as_string()));
  }
  return {};
}

Result<std::string> export_program(scmp_filter_ctx filter) {
  sys::UniqueFd memory(::memfd_create("seccomp", MFD_CLOEXEC));
  if (!memory) return fail_errno("make a memory file");
  if (int failed = ::seccomp_export_bpf(filter, memory.get()); failed != 0)
    return fail_errno(-failed, "compile the filter");
  off_t size = ::lseek(memory.get(), 0, SEEK_END);
  std::string program(static_cast<std::size_t>(size), '\0');
  if (::pread(memory.get(), program.data(), program.size(), 0) != size) return fail_errno("read the compiled filter");
  return program;
}

}  // namespace

Result<std::string> compile_seccomp(const json::Value& profile) {
  TRY(std::uint32_t standard, action_of(profile, "defaultAction", "defaultErrnoRet"));
  Filter filter(::seccomp_init(standard));
  if (!filter) return fail(ErrorCode::internal, "seccomp_init failed");
  if (const json::Value* architectures = json::find(profile, "architectures")) {
    for (const json::Value& name : architectures->as_array()) {
      TRY(std::uint32_t architecture, architecture_of(name.as_string()));
      int failed = ::seccomp_arch_add(filter.get(), architecture);
      if (failed != 0 && failed != -EEXIST) return fail_errno(-failed, "add an architecture");
    }
  }
  // A binary tree over the numbers: every system call of every container goes through this program.
  (void)::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  for (const json::Value& rule : profile.at("syscalls").as_array()) TRY_OK(add_rule(filter.get(), rule));
  return export_program(filter.get());
}

const std::string& SeccompFilters::program(const std::set<std::string>& capabilities) {
  auto found = programs_.find(capabilities);
  if (found != programs_.end()) return found->second;
  auto compiled = compile_seccomp(seccomp_profile(capabilities));
  if (!compiled) log::warning("system call filter not compiled ahead", {{"error", compiled.error().text()}});
  return programs_[capabilities] = compiled ? base64_encode(*compiled) : std::string();
}

}  // namespace berth::engine
