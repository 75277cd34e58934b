#include "tls/certificates.h"

#include <arpa/inet.h>

#include <algorithm>

#include "sys/file.h"
#include "tls/detail/openssl.h"

namespace berth::tls {

namespace {

using namespace detail;

// Clocks of clients may be slow.
constexpr long kBackdateSeconds = 3600;
constexpr long kSecondsPerDay = 24 * 3600;
constexpr int kAuthorityFactor = 10;

struct Identity {
  Key key;
  Certificate certificate;
};

struct Profile {
  std::string name;
  long seconds;
  std::vector<std::pair<int, std::string>> extensions;
};

Result<Extension> make_extension(int kind, const std::string& value, X509* issuer, X509* subject) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, subject, nullptr, nullptr, 0);
  Extension extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  if (!extension) return fail_openssl(ErrorCode::internal, "certificate extension " + value);
  return extension;
}

Result<void> set_serial(X509* certificate) {
  constexpr int kSerialBits = 127;
  Number number(BN_new());
  if (!number || BN_rand(number.get(), kSerialBits, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) != 1 ||
      BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) == nullptr)
    return fail_openssl(ErrorCode::internal, "make a serial number");
  return {};
}

// authority: nullptr for one that signs itself.
Result<Identity> issue(const Profile& profile, const Identity* authority) {
  Identity made{Key(EVP_EC_gen("P-256")), Certificate(X509_new())};
  X509* certificate = made.certificate.get();
  if (!made.key || certificate == nullptr) return fail_openssl(ErrorCode::internal, "make a key");
  TRY_OK(set_serial(certificate));
  X509_set_version(certificate, X509_VERSION_3);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -kBackdateSeconds);
  X509_gmtime_adj(X509_getm_notAfter(certificate), profile.seconds);
  X509_set_pubkey(certificate, made.key.get());
  X509_NAME* subject = X509_get_subject_name(certificate);
  const auto* text = reinterpret_cast<const unsigned char*>(profile.name.c_str());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, text, -1, -1, 0);
  X509* issuer = authority == nullptr ? certificate : authority->certificate.get();
  X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
  for (const auto& [kind, value] : profile.extensions) {
    TRY(Extension extension, make_extension(kind, value, issuer, certificate));
    X509_add_ext(certificate, extension.get(), -1);
  }
  EVP_PKEY* signer = authority == nullptr ? made.key.get() : authority->key.get();
  if (X509_sign(certificate, signer, EVP_sha256()) == 0) return fail_openssl(ErrorCode::internal, "sign a certificate");
  return made;
}

std::string text_of(const Bio& bio) {
  char* bytes = nullptr;
  long size = BIO_get_mem_data(bio.get(), &bytes);
  return {bytes, static_cast<std::size_t>(std::max(size, 0L))};
}

Result<void> write_identity(const Identity& identity, const std::string& certificate, const std::string& key) {
  Bio key_text(BIO_new(BIO_s_mem())), certificate_text(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PrivateKey(key_text.get(), identity.key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1 ||
      PEM_write_bio_X509(certificate_text.get(), identity.certificate.get()) != 1)
    return fail_openssl(ErrorCode::internal, "print a certificate");
  TRY_OK(sys::replace_file(key, text_of(key_text), 0600, sys::Durability::power));
  return sys::replace_file(certificate, text_of(certificate_text), 0644, sys::Durability::power);
}

Result<Identity> read_identity(const std::string& certificate, const std::string& key) {
  TRY(std::string key_text, sys::read_file(key));
  TRY(std::string certificate_text, sys::read_file(certificate));
  Bio key_bio(BIO_new_mem_buf(key_text.data(), static_cast<int>(key_text.size())));
  Bio certificate_bio(BIO_new_mem_buf(certificate_text.data(), static_cast<int>(certificate_text.size())));
  Identity read{Key(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, nullptr)),
                Certificate(PEM_read_bio_X509(certificate_bio.get(), nullptr, nullptr, nullptr))};
  if (!read.key) return fail_openssl(ErrorCode::invalid, "read the key " + key);
  if (!read.certificate) return fail_openssl(ErrorCode::invalid, "read the certificate " + certificate);
  if (X509_check_private_key(read.certificate.get(), read.key.get()) != 1)
    return fail_openssl(ErrorCode::invalid, certificate + " does not belong to " + key);
  return read;
}

bool is_address(const std::string& host) {
  in6_addr ignored{};
  return ::inet_pton(AF_INET, host.c_str(), &ignored) == 1 || ::inet_pton(AF_INET6, host.c_str(), &ignored) == 1;
}

// "DNS:build.example.com,IP:10.0.0.7"; the words go into OpenSSL's own little language, so they are checked.
Result<std::string> alternative_names(const std::vector<std::string>& hosts) {
  std::string names;
  for (const std::string& host : hosts) {
    bool address = is_address(host);
    bool good = !host.empty() && std::ranges::all_of(host, [](unsigned char c) {
      return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_' || c == '*';
    });
    if (!address && !good) return fail(ErrorCode::invalid, "not a host name or an address: \"{}\"", host);
    names += fmt::format("{}{}:{}", names.empty() ? "" : ",", address ? "IP" : "DNS", host);
  }
  return names;
}

Result<Identity> authority_of(const CertificateRequest& request, Issued& issued) {
  std::string certificate = request.directory + "/ca.pem", key = request.directory + "/ca-key.pem";
  if (!request.new_authority && sys::exists(certificate) && sys::exists(key)) return read_identity(certificate, key);
  Profile profile{.name = "Berth engine authority",
                  .seconds = request.days * kAuthorityFactor * kSecondsPerDay,
                  .extensions = {{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
                                 {NID_key_usage, "critical,keyCertSign,cRLSign"},
                                 {NID_subject_key_identifier, "hash"}}};
  TRY(Identity made, issue(profile, nullptr));
  TRY_OK(write_identity(made, certificate, key));
  issued.made_authority = true;
  return made;
}

Profile leaf(std::string name, long seconds, std::string purpose) {
  return {.name = std::move(name),
          .seconds = seconds,
          .extensions = {{NID_basic_constraints, "critical,CA:FALSE"},
                         {NID_key_usage, "critical,digitalSignature"},
                         {NID_ext_key_usage, std::move(purpose)},
                         {NID_subject_key_identifier, "hash"},
                         {NID_authority_key_identifier, "keyid"}}};
}

}  // namespace

Result<Issued> issue_certificates(const CertificateRequest& request) {
  if (request.hosts.empty()) return fail(ErrorCode::invalid, "no host was named");
  if (request.days < 1) return fail(ErrorCode::invalid, "a certificate holds at least a day");
  TRY(std::string names, alternative_names(request.hosts));
  TRY_OK(sys::ensure_directories(request.directory, 0700));
  Issued issued;
  TRY(Identity authority, authority_of(request, issued));
  long seconds = request.days * kSecondsPerDay;
  Profile server = leaf(request.hosts.front(), seconds, "serverAuth");
  server.extensions.emplace_back(NID_subject_alt_name, names);
  TRY(Identity server_identity, issue(server, &authority));
  TRY(Identity client_identity, issue(leaf("berth client", seconds, "clientAuth"), &authority));
  const std::string& directory = request.directory;
  TRY_OK(write_identity(server_identity, directory + "/server-cert.pem", directory + "/server-key.pem"));
  TRY_OK(write_identity(client_identity, directory + "/cert.pem", directory + "/key.pem"));
  return issued;
}

}  // namespace berth::tls
