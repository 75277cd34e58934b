// Bytes that grow: messages, paths, data that a slow reader has not taken. It stands in for std::string because that
// would link the exception runtime into the shim. An empty Buffer owns no memory, so an idle shim keeps none.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace berth::shim {

class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer() { clear(); }

  // Aborts when memory is exhausted.
  Buffer& append(std::string_view bytes);
  Buffer& append(const char* text) { return append(std::string_view(text)); }
  Buffer& append(const Buffer& other) { return append(other.view()); }
  Buffer& append(std::integral auto number) { return append_number(number < 0, magnitude(number)); }
  Buffer& append_byte(char byte) { return append(std::string_view(&byte, 1)); }
  // size bytes to be written into; shrink() takes back what was not needed.
  char* extend(std::size_t size);
  void shrink(std::size_t size) { end_ -= size; }
  // Drops bytes from the front; the memory goes with the last one.
  void consume(std::size_t size);
  void clear();

  bool empty() const { return begin_ == end_; }
  std::size_t size() const { return end_ - begin_; }
  std::string_view view() const { return {data_ + begin_, size()}; }
  // NUL-terminated; valid until the next change.
  const char* c_str();

 private:
  static std::uint64_t magnitude(std::integral auto number) {
    return number < 0 ? ~static_cast<std::uint64_t>(number) + 1 : static_cast<std::uint64_t>(number);
  }
  Buffer& append_number(bool negative, std::uint64_t magnitude);
  void reserve(std::size_t more);

  char* data_ = nullptr;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t capacity_ = 0;
};

// Texts and numbers, one after another.
Buffer concat(const auto&... parts) {
  Buffer all;
  (all.append(parts), ...);
  return all;
}

// Adds "key=value\0" (protocol.h).
void add_field(Buffer& message, std::string_view key, const auto& value) {
  message.append(key).append_byte('=').append(value).append_byte('\0');
}
// Adds a field without a value: the verb of a datagram.
inline void add_verb(Buffer& message, std::string_view verb) { message.append(verb).append_byte('\0'); }

}  // namespace berth::shim
