#include "shim/buffer.h"

#include <stdlib.h>
#include <string.h>

#include <utility>

namespace berth::shim {

Buffer::Buffer(Buffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      begin_(std::exchange(other.begin_, 0)),
      end_(std::exchange(other.end_, 0)),
      capacity_(std::exchange(other.capacity_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(begin_, other.begin_);
  std::swap(end_, other.end_);
  std::swap(capacity_, other.capacity_);
  return *this;
}

Buffer& Buffer::append(std::string_view bytes) {
  if (!bytes.empty()) memcpy(extend(bytes.size()), bytes.data(), bytes.size());
  return *this;
}

char* Buffer::extend(std::size_t size) {
  reserve(size);
  char* place = data_ + end_;
  end_ += size;
  return place;
}

void Buffer::consume(std::size_t size) {
  begin_ += size;
  if (begin_ == end_) clear();
}

void Buffer::clear() {
  free(data_);
  data_ = nullptr;
  begin_ = end_ = capacity_ = 0;
}

const char* Buffer::c_str() {
  *extend(1) = '\0';
  --end_;
  return data_ + begin_;
}

Buffer& Buffer::append_number(bool negative, std::uint64_t magnitude) {
  char digits[21];
  char* first = digits + sizeof digits;
  do {
    *--first = static_cast<char>('0' + magnitude % 10);
    magnitude /= 10;
  } while (magnitude != 0);
  if (negative) *--first = '-';
  return append(std::string_view(first, static_cast<std::size_t>(digits + sizeof digits - first)));
}

void Buffer::reserve(std::size_t more) {
  if (end_ + more <= capacity_) return;
  if (begin_ > 0) {
    memmove(data_, data_ + begin_, size());
    end_ -= std::exchange(begin_, 0);
  }
  if (end_ + more <= capacity_) return;
  capacity_ = end_ + more < 2 * capacity_ ? 2 * capacity_ : end_ + more + 32;
  data_ = static_cast<char*>(realloc(data_, capacity_));
  if (data_ == nullptr) abort();
}

}  // namespace berth::shim
