// What the inspect verbs share: objects by name, as one list of documents or through a template.
#pragma once

#include <functional>
#include <string>

#include "base/error.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/output.h"

namespace berth::cli {

// Prints all objects that get finds, then the errors of those that it does not; 1 when there were any.
Result<int> inspect_each(const Words& names, const ListOptions& options,
                         const std::function<Result<json::Value>(const std::string&)>& get);

}  // namespace berth::cli
