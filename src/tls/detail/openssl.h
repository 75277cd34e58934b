// Owners of OpenSSL's objects, and its errors as ours.
//
// Thread: values; OpenSSL's error queue belongs to the thread.
#pragma once

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>

#include "base/error.h"

namespace berth::tls::detail {

template <auto kFree>
struct Free {
  template <class T>
  void operator()(T* object) const {
    kFree(object);
  }
};

using Bio = std::unique_ptr<BIO, Free<BIO_free_all>>;
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Free<X509_EXTENSION_free>>;
using Number = std::unique_ptr<BIGNUM, Free<BN_free>>;
using Ssl = std::unique_ptr<SSL, Free<SSL_free>>;

// The oldest error of the queue in words; the queue is empty afterwards.
inline std::string take_error() {
  unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* reason = ERR_reason_error_string(code);
  return reason == nullptr ? "unknown error" : reason;
}

inline std::unexpected<Error> fail_openssl(ErrorCode code, const std::string& intent) {
  return fail(code, "{}: {}", intent, take_error());
}

}  // namespace berth::tls::detail
