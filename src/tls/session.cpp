#include "tls/session.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "tls/detail/openssl.h"

namespace berth::tls {

namespace {

using namespace detail;

bool wants_more(int ssl_error) { return ssl_error == SSL_ERROR_WANT_READ || ssl_error == SSL_ERROR_WANT_WRITE; }

// What a server that dislikes the client's certificate lets it know, in TLS 1.3 only after the handshake.
bool tells_of_certificate(int reason) {
  return reason == SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED || reason == SSL_R_TLSV1_ALERT_UNKNOWN_CA ||
         reason == SSL_R_SSLV3_ALERT_BAD_CERTIFICATE || reason == SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED ||
         reason == SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE || reason == SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN;
}

// To be called right after SSL_get_error, for errno's sake.
Error stream_error(int ssl_error, std::string intent) {
  int number = errno;
  if (ssl_error == SSL_ERROR_SYSCALL && number != 0) return Error::from_errno(number, std::move(intent));
  int reason = ERR_GET_REASON(ERR_peek_error());
  std::string text = take_error();
  if (tells_of_certificate(reason))
    return {ErrorCode::denied, fmt::format("the other side does not accept our certificate: {}", text)};
  return {ErrorCode::io, fmt::format("{}: {}", intent, text)};
}

Error handshake_error(const SSL* ssl) {
  int reason = ERR_GET_REASON(ERR_peek_error());
  long verified = SSL_get_verify_result(ssl);
  const char* other = SSL_is_server(ssl) == 1 ? "client" : "server";
  if (reason != SSL_R_CERTIFICATE_VERIFY_FAILED && reason != SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
    return stream_error(SSL_ERROR_SSL, "TLS handshake");
  ERR_clear_error();
  if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
    return {ErrorCode::denied, fmt::format("the {} has shown no certificate", other)};
  if (verified == X509_V_ERR_HOSTNAME_MISMATCH || verified == X509_V_ERR_IP_ADDRESS_MISMATCH)
    return {ErrorCode::denied, "the server's certificate is not for this host"};
  return {ErrorCode::denied,
          fmt::format("the {}'s certificate is not trusted: {}", other, X509_verify_cert_error_string(verified))};
}

Result<void> load(SSL_CTX* context, const Files& files) {
  // OpenSSL has no word for a file that is not there.
  for (const std::string* path : {&files.authority, &files.certificate, &files.key})
    if (::access(path->c_str(), R_OK) < 0) return fail_errno("read " + *path);
  if (SSL_CTX_load_verify_file(context, files.authority.c_str()) != 1)
    return fail_openssl(ErrorCode::invalid, "read the authority's certificate " + files.authority);
  if (SSL_CTX_use_certificate_chain_file(context, files.certificate.c_str()) != 1)
    return fail_openssl(ErrorCode::invalid, "read the certificate " + files.certificate);
  if (SSL_CTX_use_PrivateKey_file(context, files.key.c_str(), SSL_FILETYPE_PEM) != 1)
    return fail_openssl(ErrorCode::invalid, "read the key " + files.key);
  if (SSL_CTX_check_private_key(context) != 1)
    return fail_openssl(ErrorCode::invalid, files.certificate + " does not belong to " + files.key);
  return {};
}

}  // namespace

Result<Context> Context::make(Side side, const Files& files) {
  Context made;
  made.side_ = side;
  made.context_.reset(SSL_CTX_new(side == Side::server ? TLS_server_method() : TLS_client_method()), SSL_CTX_free);
  SSL_CTX* context = made.context_.get();
  if (context == nullptr) return fail_openssl(ErrorCode::internal, "set TLS up");
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // Thousands of idle connections should cost little; and write_all() goes on from any address.
  SSL_CTX_set_mode(context,
                   SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  // A resumed session would skip the look at the client's certificate.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 0);
  TRY_OK(load(context, files));
  return made;
}

Session::Session(async::Loop& loop, const Context& context, sys::UniqueFd socket, const std::string& host)
    : fd_(loop, std::move(socket)), ssl_(SSL_new(context.context_.get()), SSL_free) {
  SSL_set_fd(ssl_.get(), fd_.get());
  if (context.side_ == Side::server) {
    SSL_set_accept_state(ssl_.get());
    return;
  }
  SSL_set_connect_state(ssl_.get());
  in6_addr ignored{};
  bool address =
      ::inet_pton(AF_INET, host.c_str(), &ignored) == 1 || ::inet_pton(AF_INET6, host.c_str(), &ignored) == 1;
  if (address) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), host.c_str());
  } else {
    SSL_set1_host(ssl_.get(), host.c_str());
    SSL_set_tlsext_host_name(ssl_.get(), host.c_str());
  }
}

Session::~Session() = default;

async::Task<Result<void>> Session::wait_for(int ssl_error) {
  return ssl_error == SSL_ERROR_WANT_WRITE ? fd_.writable() : fd_.readable();
}

async::Task<Result<void>> Session::handshake() {
  for (;;) {
    ERR_clear_error();
    int done = SSL_do_handshake(ssl_.get());
    if (done == 1) co_return Result<void>();
    int error = SSL_get_error(ssl_.get(), done);
    if (error == SSL_ERROR_SSL) co_return std::unexpected(handshake_error(ssl_.get()));
    if (!wants_more(error)) co_return std::unexpected(stream_error(error, "TLS handshake"));
    CO_TRY_OK(co_await wait_for(error));
  }
}

async::Task<Result<std::size_t>> Session::read_some(std::span<char> buffer) {
  for (;;) {
    ERR_clear_error();
    std::size_t got = 0;
    int done = SSL_read_ex(ssl_.get(), buffer.data(), buffer.size(), &got);
    if (done == 1) co_return got;
    int error = SSL_get_error(ssl_.get(), done);
    if (error == SSL_ERROR_ZERO_RETURN) co_return std::size_t(0);
    if (!wants_more(error)) co_return std::unexpected(stream_error(error, "receive over TLS"));
    CO_TRY_OK(co_await wait_for(error));
  }
}

async::Task<Result<void>> Session::write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    ERR_clear_error();
    std::size_t put = 0;
    int done = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &put);
    if (done == 1) {
      bytes.remove_prefix(put);
      continue;
    }
    int error = SSL_get_error(ssl_.get(), done);
    if (!wants_more(error)) co_return std::unexpected(stream_error(error, "send over TLS"));
    CO_TRY_OK(co_await wait_for(error));
  }
  co_return Result<void>();
}

async::Task<Result<void>> Session::close_write() {
  for (;;) {
    ERR_clear_error();
    int done = SSL_shutdown(ssl_.get());
    if (done >= 0) co_return Result<void>();
    int error = SSL_get_error(ssl_.get(), done);
    if (!wants_more(error)) co_return std::unexpected(stream_error(error, "end a TLS direction"));
    CO_TRY_OK(co_await wait_for(error));
  }
}

async::Task<> Session::wait_gone() {
  for (;;) {
    if (auto ready = co_await fd_.readable(); !ready) co_return;
    char byte;
    ssize_t got = ::recv(fd_.get(), &byte, 1, MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) co_return;
  }
}

std::string Session::peer_name() const {
  const X509* certificate = SSL_get0_peer_certificate(ssl_.get());
  if (certificate == nullptr) return {};
  char name[256] = "";
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof name);
  return name;
}

}  // namespace berth::tls
