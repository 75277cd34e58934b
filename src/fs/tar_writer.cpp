#include <algorithm>
#include <array>
#include <cstring>

#include "fs/detail/tar_format.h"
#include "fs/tar.h"

namespace berth::fs::tar {

namespace {

constexpr char kTypeFlags[] = {'0', '1', '2', '3', '4', '5', '6'};

void put_text(std::span<char> block, Field field, std::string_view text) {
  std::memcpy(block.data() + field.offset, text.data(), std::min(text.size(), field.length));
}

// Octal with a closing NUL; false when it does not fit.
bool put_number(std::span<char> block, Field field, std::uint64_t number) {
  std::string digits = fmt::format("{:0{}o}", number, field.length - 1);
  if (digits.size() > field.length - 1) return false;
  put_text(block, field, digits);
  return true;
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// "LENGTH KEY=VALUE\n", where LENGTH counts its own digits.
std::string record(std::string_view key, std::string_view value) {
  std::size_t rest = key.size() + value.size() + 3;
  std::size_t length = rest + 1;
  while (fmt::formatted_size("{}", length) + rest != length) length = fmt::formatted_size("{}", length) + rest;
  return fmt::format("{} {}={}\n", length, key, value);
}

// Splits a long path at a slash into prefix and name.
bool put_path(std::span<char> block, std::string_view path) {
  if (path.size() <= kName.length) {
    put_text(block, kName, path);
    return true;
  }
  if (path.size() > kPrefix.length + 1 + kName.length) return false;
  std::size_t slash = path.find('/', path.size() - kName.length - 1);
  if (slash == std::string_view::npos || slash == 0 || slash > kPrefix.length || slash + 1 == path.size()) return false;
  put_text(block, kPrefix, path.substr(0, slash));
  put_text(block, kName, path.substr(slash + 1));
  return true;
}

void seal(std::span<char> block) {
  put_text(block, kMagic,
           std::string_view("ustar\0"
                            "00",
                            8));
  std::memset(block.data() + kChecksum.offset, ' ', kChecksum.length);
  std::uint32_t sum = 0;
  for (char c : block) sum += static_cast<unsigned char>(c);
  put_text(block, kChecksum, fmt::format("{:06o}", sum));
  block[kChecksum.offset + 6] = '\0';
}

using Block = std::array<char, kBlock>;

// The ustar header; what it cannot hold goes to records.
Block header_of(const Entry& entry, std::string& records) {
  Block block{};
  bool path_fits = is_ascii(entry.path) && put_path(block, entry.path);
  if (!path_fits) {
    put_text(block, kName, entry.path);
    records += record("path", entry.path);
  }
  put_text(block, kLink, entry.link);
  if (entry.link.size() > kLink.length || !is_ascii(entry.link)) records += record("linkpath", entry.link);
  put_number(block, kMode, entry.mode & 07777);
  if (!put_number(block, kUid, entry.uid)) records += record("uid", fmt::format("{}", entry.uid));
  if (!put_number(block, kGid, entry.gid)) records += record("gid", fmt::format("{}", entry.gid));
  std::uint64_t size = entry.type == Type::file ? entry.size : 0;
  if (!put_number(block, kSize, size)) records += record("size", fmt::format("{}", size));
  auto seconds = static_cast<std::uint64_t>(std::max<std::time_t>(entry.modified.tv_sec, 0));
  bool time_fits = put_number(block, kModified, seconds) && entry.modified.tv_nsec == 0;
  if (!time_fits) {
    std::string text = fmt::format("{}.{:09}", seconds, entry.modified.tv_nsec);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
    records += record("mtime", text);
  }
  block[kTypeFlag] = kTypeFlags[static_cast<int>(entry.type)];
  put_number(block, kDeviceMajor, entry.device_major);
  put_number(block, kDeviceMinor, entry.device_minor);
  for (const auto& [name, value] : entry.xattrs) records += record("SCHILY.xattr." + name, value);
  seal(block);
  return block;
}

Block extension_header(const std::string& path, std::size_t size) {
  Block block{};
  std::size_t slash = path.rfind('/', path.size() < 2 ? 0 : path.size() - 2);
  std::string_view name =
      slash == std::string::npos ? std::string_view(path) : std::string_view(path).substr(slash + 1);
  put_text(block, kName, ("PaxHeaders.0/" + std::string(name)).substr(0, kName.length));
  put_number(block, kMode, 0644);
  put_number(block, kUid, 0);
  put_number(block, kGid, 0);
  put_number(block, kSize, size);
  put_number(block, kModified, 0);
  block[kTypeFlag] = 'x';
  seal(block);
  return block;
}

std::string_view view(const Block& block) { return {block.data(), block.size()}; }

}  // namespace

Result<void> Writer::begin(const Entry& entry) {
  if (remaining_ > 0) return fail(ErrorCode::internal, "tar: {} bytes are missing before {}", remaining_, entry.path);
  TRY_OK(pad());
  std::string records;
  Block header = header_of(entry, records);
  if (!records.empty()) {
    TRY_OK(sink_.write(view(extension_header(entry.path, records.size()))));
    records.resize((records.size() + kBlock - 1) / kBlock * kBlock, '\0');
    TRY_OK(sink_.write(records));
  }
  TRY_OK(sink_.write(view(header)));
  remaining_ = entry.type == Type::file ? entry.size : 0;
  padding_ = (kBlock - remaining_ % kBlock) % kBlock;
  return {};
}

Result<void> Writer::write(std::string_view bytes) {
  if (bytes.size() > remaining_) return fail(ErrorCode::internal, "tar: more bytes than the header says");
  remaining_ -= bytes.size();
  return sink_.write(bytes);
}

Result<void> Writer::add(const Entry& entry, std::string_view content) {
  Entry sized = entry;
  sized.size = content.size();
  TRY_OK(begin(sized));
  return write(content);
}

Result<void> Writer::pad() {
  static constexpr Block kZeros{};
  return sink_.write(view(kZeros).substr(0, static_cast<std::size_t>(std::exchange(padding_, 0))));
}

Result<void> Writer::finish() {
  if (remaining_ > 0) return fail(ErrorCode::internal, "tar: {} bytes are missing at the end", remaining_);
  TRY_OK(pad());
  static constexpr std::array<char, 2 * kBlock> kZeros{};
  return sink_.write({kZeros.data(), kZeros.size()});
}

}  // namespace berth::fs::tar
