#include "engine/process_table.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "sys/process.h"

namespace berth::engine {

namespace {

std::vector<std::string> words(std::string_view line) {
  std::vector<std::string> list;
  for (const std::string& word : split(line, ' '))
    if (!word.empty()) list.push_back(word);
  return list;
}

Result<std::string> run_ps(const std::string& arguments) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return fail_errno("pipe");
  sys::UniqueFd reader(ends[0]), writer(ends[1]);
  sys::SpawnOptions options;
  options.argv = {"/usr/bin/ps"};
  for (std::string& word : words(arguments.empty() ? "-ef" : arguments)) options.argv.push_back(std::move(word));
  options.fds = {{writer.get(), 1}, {writer.get(), 2}};
  TRY(sys::Process child, sys::spawn(options));
  writer.reset();
  std::string text;
  char buffer[16384];
  for (ssize_t got; (got = ::read(reader.get(), buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(got));
  TRY(int status, child.wait());
  if (sys::exit_code_of(status) != 0) return fail(ErrorCode::internal, "Error running ps: {}", trim(text));
  return text;
}

}  // namespace

Result<ProcessTable> list_processes(const std::vector<int>& pids, const std::string& ps_arguments) {
  TRY(std::string text, run_ps(ps_arguments));
  ProcessTable table;
  std::vector<std::string> lines = split(text, '\n');
  table.titles = words(lines.front());
  auto pid_title = std::find(table.titles.begin(), table.titles.end(), "PID");
  if (pid_title == table.titles.end()) return fail(ErrorCode::internal, "Couldn't find PID field in ps output");
  auto pid_column = static_cast<std::size_t>(pid_title - table.titles.begin());
  for (std::size_t i = 1; i < lines.size(); ++i) {
    std::vector<std::string> fields = words(lines[i]);
    if (fields.size() <= pid_column) continue;
    auto pid = parse_number<int>(fields[pid_column]);
    if (!pid || std::find(pids.begin(), pids.end(), *pid) == pids.end()) continue;
    // The last column, the command, has spaces of its own.
    while (fields.size() > table.titles.size()) {
      fields[table.titles.size() - 1] += " " + fields[table.titles.size()];
      fields.erase(fields.begin() + static_cast<std::ptrdiff_t>(table.titles.size()));
    }
    table.processes.push_back(std::move(fields));
  }
  return table;
}

}  // namespace berth::engine
