#include <algorithm>
#include <array>
#include <limits>

#include "base/text.h"
#include "fs/detail/tar_format.h"
#include "fs/tar.h"

namespace berth::fs::tar {

// What PAX records and GNU long names say about the entry that follows.
struct Reader::Extensions {
  std::string long_name;
  std::string long_link;
  std::map<std::string, std::string> records;
  std::string sparse_map;  // GNU.sparse 0.0: "offset,length,..." of the repeated records
  std::uint64_t bytes = 0;

  const std::string* find(const char* key) const {
    auto at = records.find(key);
    return at == records.end() || at->second.empty() ? nullptr : &at->second;
  }
};

namespace {

constexpr std::uint64_t kMaxSize = std::numeric_limits<std::int64_t>::max();

std::unexpected<Error> bad_header(std::string_view what) {
  return fail(ErrorCode::invalid, "archive/tar: invalid tar header: {}", what);
}
std::unexpected<Error> cut_short() { return fail(ErrorCode::invalid, "unexpected EOF"); }

std::string_view bytes_of(std::string_view block, Field field) { return block.substr(field.offset, field.length); }

std::string_view until_nul(std::string_view bytes) { return bytes.substr(0, bytes.find('\0')); }

std::string text_of(std::string_view block, Field field) { return std::string(until_nul(bytes_of(block, field))); }

// Octal with blanks around it, or GNU's base-256 when the highest bit is set.
Result<std::int64_t> number_of(std::string_view bytes) {
  auto first = static_cast<unsigned char>(bytes[0]);
  if ((first & 0x80) == 0) {
    while (!bytes.empty() && (bytes.front() == ' ' || bytes.front() == '\0')) bytes.remove_prefix(1);
    while (!bytes.empty() && (bytes.back() == ' ' || bytes.back() == '\0')) bytes.remove_suffix(1);
    if (bytes.empty()) return 0;
    auto number = parse_number<std::int64_t>(until_nul(bytes), 8);
    if (!number || *number < 0) return bad_header("bad number");
    return *number;
  }
  // Two's complement; the marker bit is not part of it.
  bool negative = (first & 0x40) != 0;
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    auto byte = static_cast<unsigned char>(negative ? ~bytes[i] : bytes[i]);
    if (i == 0) byte &= 0x7f;
    if (value >> 56 != 0) return bad_header("number too large");
    value = value << 8 | byte;
  }
  if (value > kMaxSize) return bad_header("number too large");
  return negative ? -static_cast<std::int64_t>(value) - 1 : static_cast<std::int64_t>(value);
}

Result<std::int64_t> number_of(std::string_view block, Field field) { return number_of(bytes_of(block, field)); }

Result<std::uint64_t> size_of(std::string_view block, Field field) {
  TRY(std::int64_t number, number_of(block, field));
  if (number < 0) return bad_header("negative size");
  return static_cast<std::uint64_t>(number);
}

Result<std::uint64_t> size_of(const std::string& digits) {
  auto number = parse_number<std::uint64_t>(digits);
  if (!number || *number > kMaxSize) return bad_header("bad size");
  return *number;
}

Result<std::uint32_t> id_of(std::int64_t number) {
  // The highest value means "no id" to chown(2).
  if (number < 0 || number >= std::numeric_limits<std::uint32_t>::max()) return bad_header("owner out of range");
  return static_cast<std::uint32_t>(number);
}

bool is_zero(std::string_view block) { return block.find_first_not_of('\0') == std::string_view::npos; }

// The sum over the block with blanks in the field itself; old writers summed signed characters.
bool checksum_holds(std::string_view block) {
  auto wanted = number_of(block, kChecksum);
  if (!wanted) return false;
  std::int64_t plain = 0, with_sign = 0;
  for (std::size_t i = 0; i < block.size(); ++i) {
    bool inside = i >= kChecksum.offset && i < kChecksum.offset + kChecksum.length;
    char c = inside ? ' ' : block[i];
    plain += static_cast<unsigned char>(c);
    with_sign += static_cast<signed char>(c);
  }
  return *wanted == plain || *wanted == with_sign;
}

// "12.5", "-3.25": seconds since the epoch with a fraction; before the epoch counts as the epoch.
Result<timespec> time_of(const std::string& text) {
  auto [whole, fraction] = split_once(text, '.');
  auto seconds = parse_number<std::int64_t>(whole);
  if (!seconds) return bad_header("bad time");
  timespec time{};
  if (*seconds < 0 || text.starts_with('-')) return time;
  time.tv_sec = *seconds;
  std::string digits(fraction.value_or("").substr(0, 9));
  digits.resize(9, '0');
  auto nanoseconds = parse_number<long>(digits);
  if (!nanoseconds || *nanoseconds < 0) return bad_header("bad time");
  time.tv_nsec = *nanoseconds;
  return time;
}

// The path of the header alone. Only ustar and star have a prefix; GNU uses its bytes for other things.
std::string plain_path(std::string_view block) {
  std::string name = text_of(block, kName);
  if (bytes_of(block, kMagic).substr(0, 6) != std::string_view("ustar\0", 6)) return name;
  bool star = bytes_of(block, kStarTrailer) == std::string_view("tar\0", 4);
  std::string prefix = text_of(block, star ? kStarPrefix : kPrefix);
  return prefix.empty() ? name : prefix + "/" + name;
}

Result<void> check_extents(const std::vector<Extent>& extents, std::uint64_t real_size, std::uint64_t stored) {
  std::uint64_t end = 0, sum = 0;
  for (const Extent& extent : extents) {
    if (extent.length > real_size || extent.offset > real_size - extent.length || extent.offset < end)
      return bad_header("bad sparse map");
    end = extent.offset + extent.length;
    sum += extent.length;
  }
  if (sum != stored) return bad_header("sparse map and size differ");
  return {};
}

// Splits "LENGTH KEY=VALUE\n" records; LENGTH counts itself.
Result<void> parse_records(std::string_view text, std::map<std::string, std::string>& records,
                           std::string& sparse_map) {
  records.clear();
  sparse_map.clear();
  while (!text.empty()) {
    auto [digits, rest] = split_once(text, ' ');
    auto length = parse_number<std::uint64_t>(digits);
    if (!rest || !length || *length > text.size() || *length < digits.size() + 3) return bad_header("bad PAX record");
    std::string_view record = text.substr(digits.size() + 1, *length - digits.size() - 1);
    text.remove_prefix(*length);
    if (record.back() != '\n') return bad_header("bad PAX record");
    record.remove_suffix(1);
    auto [key, value] = split_once(record, '=');
    if (!value || key.empty()) return bad_header("bad PAX record");
    bool is_xattr = key.starts_with("SCHILY.xattr.");
    if (key.find('\0') != std::string_view::npos || (!is_xattr && value->find('\0') != std::string_view::npos))
      return bad_header("NUL in a PAX record");
    if (key == "GNU.sparse.offset" || key == "GNU.sparse.numbytes") {
      if (!sparse_map.empty()) sparse_map += ',';
      sparse_map += *value;
    } else {
      records[std::string(key)] = std::string(*value);
    }
  }
  return {};
}

Result<std::vector<Extent>> parse_map(const std::string& text, std::uint64_t limit) {
  std::vector<std::string> numbers = split(text, ',');
  if (numbers.size() % 2 != 0 || numbers.size() / 2 > limit) return bad_header("bad sparse map");
  std::vector<Extent> extents;
  for (std::size_t i = 0; i < numbers.size(); i += 2) {
    TRY(std::uint64_t offset, size_of(numbers[i]));
    TRY(std::uint64_t length, size_of(numbers[i + 1]));
    extents.push_back({offset, length});
  }
  return extents;
}

Result<Type> type_of(std::string_view block, const std::string& path) {
  switch (char flag = block[kTypeFlag]) {
    case '\0':  // v7 tells a directory by its slash
      return path.ends_with('/') ? Type::directory : Type::file;
    case '0':
    case '7':
    case 'S':
      return Type::file;
    case '1':
      return Type::hard_link;
    case '2':
      return Type::symlink;
    case '3':
      return Type::character_device;
    case '4':
      return Type::block_device;
    case '5':
      return Type::directory;
    case '6':
      return Type::fifo;
    default:
      return fail(ErrorCode::invalid, "unhandled tar header type {}", static_cast<int>(flag));
  }
}

}  // namespace

Reader::Reader(Source& source, ReaderOptions options) : source_(source), options_(options) {}

Result<void> Reader::give_raw(std::string_view bytes) {
  if (options_.raw == nullptr) return {};
  return options_.raw->write(bytes);
}

Result<bool> Reader::read_block(std::span<char> block) {
  TRY(std::size_t got, read_full(source_, block));
  TRY_OK(give_raw({block.data(), got}));
  if (got == 0) return false;
  if (got < block.size()) return cut_short();
  return true;
}

Result<std::size_t> Reader::read(std::span<char> into) {
  std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), remaining_));
  if (wanted == 0) return 0;
  TRY(std::size_t got, source_.read(into.first(wanted)));
  if (got == 0) return cut_short();
  remaining_ -= got;
  if (payload_is_raw_) TRY_OK(give_raw({into.data(), got}));
  return got;
}

Result<void> Reader::skip_rest() {
  std::array<char, 16384> buffer;
  while (remaining_ > 0) TRY_OK(read(buffer));
  if (padding_ == 0) return {};
  std::span<char> padding = std::span<char>(buffer).first(static_cast<std::size_t>(std::exchange(padding_, 0)));
  TRY(std::size_t got, read_full(source_, padding));
  TRY_OK(give_raw({padding.data(), got}));
  // Without its padding the last entry ends the archive: Docker's client sends such contexts, and Go takes them.
  return {};
}

Result<void> Reader::drain() {
  std::array<char, 16384> buffer;
  while (true) {
    TRY(std::size_t got, source_.read(buffer));
    if (got == 0) return {};
    TRY_OK(give_raw({buffer.data(), got}));
  }
}

Result<std::string> Reader::read_extension(std::uint64_t size) {
  std::string text(static_cast<std::size_t>(size), '\0');
  TRY(std::size_t got, read_full(source_, text));
  TRY_OK(give_raw({text.data(), got}));
  if (got < text.size()) return cut_short();
  padding_ = (kBlock - size % kBlock) % kBlock;
  TRY_OK(skip_rest());
  return text;
}

Result<bool> Reader::extend(std::string_view header, Extensions& extensions) {
  char flag = header[kTypeFlag];
  if (flag != 'x' && flag != 'g' && flag != 'L' && flag != 'K') return false;
  TRY(std::uint64_t size, size_of(header, kSize));
  if (size > options_.limits.extended_bytes || extensions.bytes + size > options_.limits.extended_bytes)
    return fail(ErrorCode::exhausted, "a tar header is larger than {} bytes", options_.limits.extended_bytes);
  extensions.bytes += size;
  TRY(std::string text, read_extension(size));
  if (flag == 'L') extensions.long_name = until_nul(text);
  if (flag == 'K') extensions.long_link = until_nul(text);
  // Global records are ignored, as Docker does: they hold comments, and would let one header speak for all entries.
  if (flag == 'x') TRY_OK(parse_records(text, extensions.records, extensions.sparse_map));
  return true;
}

Result<std::optional<Entry>> Reader::next() {
  TRY_OK(skip_rest());
  payload_is_raw_ = false;
  Extensions extensions;
  std::array<char, kBlock> buffer;
  std::string_view header(buffer.data(), buffer.size());
  while (true) {
    TRY(bool more, read_block(buffer));
    if (!more) {
      if (extensions.bytes > 0) return cut_short();
      return std::nullopt;
    }
    if (is_zero(header)) {
      TRY(more, read_block(buffer));
      if (more && !is_zero(header)) return bad_header("a zero block within the archive");
      TRY_OK(drain());
      return std::nullopt;
    }
    if (!checksum_holds(header)) return bad_header("checksum");
    if (++headers_ > options_.limits.headers)
      return fail(ErrorCode::exhausted, "more than {} entries", options_.limits.headers);
    TRY(bool extended, extend(header, extensions));
    if (extended) continue;
    TRY(Entry entry, assemble(header, extensions));
    return entry;
  }
}

namespace {

Result<void> set_owner_and_time(std::string_view header, const std::string* uid, const std::string* gid,
                                const std::string* modified, Entry& entry) {
  auto owner = [&](const std::string* record, Field field) -> Result<std::uint32_t> {
    if (record == nullptr) {
      TRY(std::int64_t number, number_of(header, field));
      return id_of(number);
    }
    auto number = parse_number<std::int64_t>(*record);
    if (!number) return bad_header("bad owner");
    return id_of(*number);
  };
  TRY(entry.uid, owner(uid, kUid));
  TRY(entry.gid, owner(gid, kGid));
  if (modified != nullptr) {
    TRY(entry.modified, time_of(*modified));
  } else {
    TRY(std::int64_t seconds, number_of(header, kModified));
    entry.modified.tv_sec = std::max<std::int64_t>(seconds, 0);
  }
  return {};
}

}  // namespace

Result<Entry> Reader::assemble(std::string_view header, Extensions& extensions) {
  Entry entry;
  auto first_of = [](const std::string* record, std::string& longer, std::string plain) {
    return record != nullptr ? *record : !longer.empty() ? std::move(longer) : std::move(plain);
  };
  entry.path = first_of(extensions.find("path"), extensions.long_name, plain_path(header));
  entry.link = first_of(extensions.find("linkpath"), extensions.long_link, text_of(header, kLink));
  if (entry.path.size() > options_.limits.name_bytes || entry.link.size() > options_.limits.name_bytes)
    return fail(ErrorCode::exhausted, "a name is longer than {} bytes", options_.limits.name_bytes);
  TRY(entry.type, type_of(header, entry.path));
  TRY(std::int64_t mode, number_of(header, kMode));
  entry.mode = static_cast<std::uint32_t>(mode & 07777);
  TRY_OK(set_owner_and_time(header, extensions.find("uid"), extensions.find("gid"), extensions.find("mtime"), entry));
  if (entry.type == Type::character_device || entry.type == Type::block_device) {
    TRY(std::uint64_t major, size_of(header, kDeviceMajor));
    TRY(std::uint64_t minor, size_of(header, kDeviceMinor));
    entry.device_major = static_cast<std::uint32_t>(major);
    entry.device_minor = static_cast<std::uint32_t>(minor);
  }
  constexpr std::string_view kXattr = "SCHILY.xattr.";
  for (auto& [key, value] : extensions.records)
    if (key.starts_with(kXattr) && key.size() > kXattr.size())
      entry.xattrs[key.substr(kXattr.size())] = std::move(value);
  // Other kinds have no payload whatever their size field says, as for Go.
  if (entry.type != Type::file) return entry;
  if (const std::string* size = extensions.find("size")) {
    TRY(entry.size, size_of(*size));
  } else {
    TRY(entry.size, size_of(header, kSize));
  }
  remaining_ = entry.size;
  padding_ = (kBlock - entry.size % kBlock) % kBlock;
  TRY_OK(set_sparse(header, extensions, entry));
  if (entry.path.size() > options_.limits.name_bytes)
    return fail(ErrorCode::exhausted, "a name is longer than {} bytes", options_.limits.name_bytes);
  if (options_.without_payload && !entry.sparse) remaining_ = 0;
  return entry;
}

Result<void> Reader::set_sparse(std::string_view header, const Extensions& extensions, Entry& entry) {
  const std::string* major = extensions.find("GNU.sparse.major");
  const std::string* minor = extensions.find("GNU.sparse.minor");
  const std::string* map = extensions.find("GNU.sparse.map");
  bool version_1 = major != nullptr && *major == "1" && minor != nullptr && *minor == "0";
  bool version_0 = !version_1 && (map != nullptr || !extensions.sparse_map.empty());
  bool old_gnu = header[kTypeFlag] == 'S';
  if (!version_1 && !version_0 && !old_gnu) return {};
  entry.sparse = payload_is_raw_ = true;
  if (old_gnu) {
    TRY(entry.size, size_of(header, kGnuRealSize));
    TRY(entry.extents, read_gnu_extents(header));
  } else {
    const std::string* real = extensions.find(version_1 ? "GNU.sparse.realsize" : "GNU.sparse.size");
    if (real == nullptr) return bad_header("a sparse file without size");
    TRY(entry.size, size_of(*real));
    if (const std::string* name = extensions.find("GNU.sparse.name")) entry.path = *name;
    if (version_1) {
      TRY(entry.extents, read_payload_extents());
    } else {
      TRY(entry.extents, parse_map(map != nullptr ? *map : extensions.sparse_map, options_.limits.extents));
    }
  }
  return check_extents(entry.extents, entry.size, remaining_);
}

Result<std::vector<Extent>> Reader::read_gnu_extents(std::string_view header) {
  std::vector<Extent> extents;
  auto take = [&](std::string_view bytes) -> Result<void> {
    for (; bytes.size() >= 24; bytes.remove_prefix(24)) {
      if (bytes[0] == '\0') break;  // unused slots follow
      TRY(std::uint64_t offset, size_of(bytes, Field{0, 12}));
      TRY(std::uint64_t length, size_of(bytes, Field{12, 12}));
      extents.push_back({offset, length});
    }
    return {};
  };
  TRY_OK(take(bytes_of(header, kGnuExtents)));
  bool more = header[kGnuExtended] != '\0';
  std::array<char, kBlock> buffer;
  std::string_view block(buffer.data(), buffer.size());
  while (more) {
    TRY(bool there, read_block(buffer));
    if (!there) return cut_short();
    TRY_OK(take(bytes_of(block, kGnuMoreExtents)));
    if (extents.size() > options_.limits.extents) return bad_header("too many extents");
    more = block[kGnuMoreExtended] != '\0';
  }
  return extents;
}

// GNU sparse 1.0: the payload begins with decimal numbers, one a line: how many extents, then offset and length of
// each, filled up to whole blocks.
Result<std::vector<Extent>> Reader::read_payload_extents() {
  std::string text;
  std::size_t at = 0;
  auto number = [&]() -> Result<std::uint64_t> {
    std::size_t end;
    while ((end = text.find('\n', at)) == std::string::npos) {
      // A number has 20 digits at most, so a whole block without a line end is no map.
      if (text.size() - at > kBlock || remaining_ < kBlock) return bad_header("bad sparse map");
      text.erase(0, std::exchange(at, 0));
      std::array<char, kBlock> block;
      for (std::size_t filled = 0; filled < kBlock;) {
        TRY(std::size_t got, read(std::span<char>(block).subspan(filled)));
        filled += got;
      }
      text.append(block.data(), block.size());
    }
    TRY(std::uint64_t value, size_of(text.substr(at, end - at)));
    at = end + 1;
    return value;
  };
  TRY(std::uint64_t count, number());
  if (count > options_.limits.extents) return bad_header("too many extents");
  std::vector<Extent> extents;
  for (std::uint64_t i = 0; i < count; ++i) {
    TRY(std::uint64_t offset, number());
    TRY(std::uint64_t length, number());
    extents.push_back({offset, length});
  }
  return extents;
}

}  // namespace berth::fs::tar
