#include "fs/digest.h"

#include <openssl/evp.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <vector>

#include "base/text.h"

namespace berth::fs {

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

namespace {

// OpenSSL's digest calls fail only when memory is out or the library is broken: nothing to go on with.
void require(bool good) {
  if (!good) std::abort();
}

}  // namespace

Sha256::Sha256() : state_(std::make_unique<State>()) {
  require(state_->context != nullptr && EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) == 1);
}
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::update(std::string_view bytes) {
  require(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1);
}

std::string Sha256::hex() const {
  State copy;
  std::string raw(32, '\0');
  require(copy.context != nullptr && EVP_MD_CTX_copy_ex(copy.context, state_->context) == 1 &&
          EVP_DigestFinal_ex(copy.context, reinterpret_cast<unsigned char*>(raw.data()), nullptr) == 1);
  return to_hex(raw);
}

std::string sha256_hex(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.hex();
}

Result<std::string> sha256_hex_of(int fd) {
  Sha256 hash;
  std::vector<char> buffer(256 << 10);
  while (true) {
    ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read");
    if (got == 0) return hash.hex();
    hash.update({buffer.data(), static_cast<std::size_t>(got)});
  }
}

}  // namespace berth::fs
