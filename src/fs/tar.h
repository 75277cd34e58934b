// Tar streams: a strict reader and a writer.
//
// The reader takes v7, ustar, GNU (long names, base-256 numbers, sparse) and PAX (records, xattrs, sparse 0.0,
// 0.1, 1.0), and reads doubtful archives as Go's archive/tar does, because that is what Docker accepts. It is for
// hostile input: memory is bounded by Limits, every number is checked, names are bytes (a NUL ends them). It judges no
// path: whoever creates files from it does (fs/untar.h).
//
// Sources: POSIX.1-2008 pax; GNU tar manual, appendix "Tar Internals"; star(5) for SCHILY.xattr.
// Thread: one at a time. All calls block on their stream.
#pragma once

#include <cstdint>
#include <ctime>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "fs/stream.h"

namespace berth::fs::tar {

enum class Type { file, hard_link, symlink, character_device, block_device, directory, fifo };

// A piece of a sparse file that holds data; what lies between is zero.
struct Extent {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

struct Entry {
  Type type = Type::file;
  std::string path;        // as the archive says it; directories may end in '/'
  std::string link;        // target of a symlink; path of a hard link
  std::uint32_t mode = 0;  // 07777
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t device_major = 0;
  std::uint32_t device_minor = 0;
  std::uint64_t size = 0;  // of the file that results; only Type::file has any
  timespec modified{};
  std::map<std::string, std::string> xattrs;  // "security.capability" -> bytes
  bool sparse = false;
  std::vector<Extent> extents;  // only when sparse
};

struct Limits {
  std::uint64_t headers = 20'000'000;      // entries, and the extensions before them
  std::uint64_t name_bytes = 64 << 10;     // a path or link
  std::uint64_t extended_bytes = 1 << 20;  // one entry's PAX records, or a GNU long name
  std::uint64_t extents = 1 << 20;
};

struct ReaderOptions {
  Limits limits;
  // Gets every byte of the stream that is not the payload of a plain (not sparse) file, in order.
  Sink* raw = nullptr;
  // The payload of plain files is missing from the stream: it is what such a `raw` sink had received.
  bool without_payload = false;
};

class Reader {
 public:
  // The source outlives the reader.
  explicit Reader(Source& source, ReaderOptions options = {});

  // The next entry, or nothing at the end of the archive, when the rest of the stream has been read too. Skips what has
  // not been read of the last entry. A stream that ends within an entry is `invalid`: "unexpected EOF"; one that ends
  // between entries is a complete archive, as for Go and GNU tar.
  Result<std::optional<Entry>> next();
  // The stored bytes of the current file: all of it, or for a sparse one its extents one after another. 0 at its end.
  Result<std::size_t> read(std::span<char> into);

 private:
  struct Extensions;
  Result<bool> read_block(std::span<char> block);
  Result<void> skip_rest();
  Result<void> drain();
  Result<std::string> read_extension(std::uint64_t size);
  // Handles an 'x', 'g', 'L' or 'K' header; false when it is another one.
  Result<bool> extend(std::string_view header, Extensions& extensions);
  Result<Entry> assemble(std::string_view header, Extensions& extensions);
  Result<void> set_sparse(std::string_view header, const Extensions& extensions, Entry& entry);
  Result<std::vector<Extent>> read_gnu_extents(std::string_view header);
  Result<std::vector<Extent>> read_payload_extents();
  Result<void> give_raw(std::string_view bytes);

  BufferedSource source_;
  ReaderOptions options_;
  std::uint64_t remaining_ = 0;  // stored bytes of the current entry that have not been read
  std::uint64_t padding_ = 0;    // what follows them up to the next block
  bool payload_is_raw_ = false;
  std::uint64_t headers_ = 0;
};

// Writes ustar headers, and PAX records for what they cannot say (long or non-ASCII names, large numbers, fractions of
// a second, xattrs), deterministically.
class Writer {
 public:
  explicit Writer(Sink& sink) : sink_(sink) {}

  // The header; exactly entry.size bytes of write() must follow for a file. Sparse entries are not written.
  Result<void> begin(const Entry& entry);
  Result<void> write(std::string_view bytes);
  Result<void> add(const Entry& entry, std::string_view content);  // a small file, or an entry without content
  // Two zero blocks. Fails with `internal` when a file's bytes are missing.
  Result<void> finish();

 private:
  Result<void> pad();
  Sink& sink_;
  std::uint64_t remaining_ = 0;
  std::uint64_t padding_ = 0;
};

}  // namespace berth::fs::tar
