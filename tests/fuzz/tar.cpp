// Tar streams: any bytes are read to an end or an error within bounds, and outline and contents make the stream again.
#include "fs/tar.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

namespace {

using namespace berth::fs;

struct Pass {
  bool good = false;
  std::string raw;
  std::vector<std::string> contents;  // of plain files
};

Pass read(std::string_view bytes) {
  Pass pass;
  StringSink raw;
  StringSource source(bytes);
  tar::Reader reader(source, {.limits = {.headers = 1000, .extents = 1000}, .raw = &raw});
  std::vector<char> buffer(4096);
  while (true) {
    auto entry = reader.next();
    if (!entry) return pass;
    if (!*entry) break;
    std::uint64_t stored = 0;
    for (const tar::Extent& extent : (*entry)->extents) {
      if (extent.offset + extent.length > (*entry)->size) std::abort();
      stored += extent.length;
    }
    std::string content;
    while (true) {
      auto got = reader.read(buffer);
      if (!got) return pass;
      if (*got == 0) break;
      content.append(buffer.data(), *got);
    }
    std::uint64_t wanted = (*entry)->sparse ? stored : (*entry)->size;
    if (content.size() != wanted) std::abort();
    if ((*entry)->type == tar::Type::file && !(*entry)->sparse) pass.contents.push_back(std::move(content));
  }
  pass.good = true;
  pass.raw = raw.take();
  return pass;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Pass pass = read(bytes);
  if (!pass.good) return 0;
  StringSource outline(pass.raw);
  StringSink rebuilt;
  tar::Reader reader(outline, {.limits = {.headers = 1000, .extents = 1000}, .raw = &rebuilt, .without_payload = true});
  std::size_t next = 0;
  while (true) {
    auto entry = reader.next();
    if (!entry) std::abort();
    if (!*entry) break;
    if ((*entry)->type == tar::Type::file && !(*entry)->sparse && !rebuilt.write(pass.contents.at(next++)))
      std::abort();
  }
  if (rebuilt.take() != bytes) std::abort();
  return 0;
}
