#include "portal/portal.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace berth::portal {

namespace {

std::unexpected<workspace::Problem> bad(std::string message, std::string hint = {}) {
  return workspace::refuse(ErrorCode::invalid, "bad_request", std::move(message), std::move(hint));
}

// A name that came from outside, as it may be shown.
bool is_plain(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

Outcome<> refuse_unknown(const Form& form, const std::vector<std::string_view>& known) {
  for (std::string_view later : {"home", "projects"})
    if (form.has(later)) return bad(fmt::format("The field \"{}\" is not supported yet.", later), "leave it out");
  std::vector<std::string_view> all = known;
  all.insert(all.end(), {"home", "projects", "format"});
  auto unknown = form.first_unknown(all);
  if (!unknown) return {};
  return bad(
      is_plain(*unknown) ? fmt::format("There is no field \"{}\".", *unknown) : "A field has a name that nobody knows.",
      fmt::format("the fields are {}", fmt::join(known, ", ")));
}

// Nothing when the field is absent.
Outcome<std::optional<std::int64_t>> memory_of(const Form& form) {
  if (!form.has("memory")) return std::optional<std::int64_t>();
  auto bytes = parse_bytes(form.get("memory"));
  if (bytes && *bytes > 0) return *bytes;
  return bad("The memory is not a size.", "write it as 512m or 2g");
}

Outcome<std::optional<std::int64_t>> nano_cpus_of(const Form& form) {
  if (!form.has("cpus")) return std::optional<std::int64_t>();
  auto cpus = parse_number<double>(form.get("cpus"));
  if (cpus && std::isfinite(*cpus) && *cpus >= 0.01 && *cpus <= 4096) return static_cast<std::int64_t>(*cpus * 1e9);
  return bad("The number of processors is not a number from 0.01 to 4096.", "write it as 1 or 0.5");
}

}  // namespace

Outcome<workspace::CreateRequest> create_request_of(const Form& form) {
  TRY_OK(refuse_unknown(form, {"user", "name", "key", "keys", "image", "memory", "cpus"}));
  workspace::CreateRequest request;
  request.name = form.has("name") ? form.get("name") : form.get("user");
  request.keys = form.get("keys") + '\n' + form.get("key");
  request.image = form.get("image");
  TRY(auto memory, memory_of(form));
  TRY(auto nano_cpus, nano_cpus_of(form));
  request.memory = memory.value_or(0);
  request.nano_cpus = nano_cpus.value_or(0);
  return request;
}

Outcome<workspace::Change> change_of(const Form& form) {
  TRY_OK(refuse_unknown(form, {"image", "memory", "cpus"}));
  workspace::Change change;
  change.image = form.get("image");
  TRY(change.memory, memory_of(form));
  TRY(change.nano_cpus, nano_cpus_of(form));
  return change;
}

}  // namespace berth::portal
