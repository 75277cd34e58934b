// SHA-256 of streams and files (OpenSSL's EVP, which uses the processor's SHA instructions).
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

namespace berth::fs {

// Thread: one at a time.
class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();

  void update(std::string_view bytes);
  // 64 lower-case hex digits of what has come so far; more may follow.
  std::string hex() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string sha256_hex(std::string_view bytes);
// Of everything that read(2) gives from the descriptor's current position on. Blocks.
Result<std::string> sha256_hex_of(int fd);

}  // namespace berth::fs
