// berth-unpack: extracts one layer in a sandbox. Started by the engine's image store; see image/detail/unpack.h.
#include <signal.h>
#include <unistd.h>

#include <cstdio>

#include "base/json.h"
#include "base/text.h"
#include "image/detail/unpack.h"
#include "sys/file.h"

int main(int argc, char** argv) {
  auto bytes = argc == 5 ? berth::parse_number<std::uint64_t>(argv[2]) : std::nullopt;
  auto entries = argc == 5 ? berth::parse_number<std::uint64_t>(argv[3]) : std::nullopt;
  std::string_view kind = argc == 5 ? argv[4] : "";
  if (!bytes || !entries || (kind != "layer" && kind != "plain")) {
    std::fputs("usage: berth-unpack DIRECTORY MAX_BYTES MAX_ENTRIES layer|plain <layer 3>outline >report\n", stderr);
    return 2;
  }
  ::signal(SIGPIPE, SIG_IGN);
  berth::image::UnpackReport report = berth::image::unpack_here(argv[1], {*bytes, *entries, kind == "plain"});
  std::string text = berth::json::print(berth::json::encode(report)) + "\n";
  if (!berth::sys::write_all(STDOUT_FILENO, text)) return 2;
  return report.error_code == -1 ? 0 : 1;
}
