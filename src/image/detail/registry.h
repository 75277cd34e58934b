// One registry for one repository: finding it (TLS or plain, mirrors), logging in, manifests and blobs.
//
// Sources: OCI distribution specification 1.1; Docker's "Token Authentication Specification"; error texts are Docker's.
// Thread: any, several at once; all calls block.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/error.h"
#include "image/auth.h"
#include "image/detail/http.h"
#include "oci/manifest.h"
#include "oci/reference.h"

namespace berth::image {

struct RegistrySettings {
  std::vector<std::string> insecure;  // "host[:port]" or CIDR; loopback always is
  std::vector<std::string> mirrors;   // of docker.io
  std::string user_agent;
};

enum class Access { pull, push };

struct FetchedManifest {
  std::string text;
  std::string media_type;
  oci::Digest digest;
};

class Registry {
 public:
  // Does not connect. repository is a reference of which only domain and path count.
  Registry(RegistrySettings settings, oci::Reference repository, Credentials credentials, Access access,
           std::shared_ptr<std::atomic<bool>> stop);

  // Finds a registry that answers, mirrors first, and takes the challenge that it gives. To be called once, first.
  Result<void> connect();
  // A manifest by tag or digest, checked against that digest. The first mirror or registry that has it serves
  // everything that follows.
  Result<FetchedManifest> manifest(const oci::Reference& reference);
  // The blob's bytes from `from` on, until the end or an error. `from` may come back smaller: then the sink gets bytes
  // that it had before, from there on (a server without ranges).
  using BlobSink = std::function<Result<void>(std::uint64_t offset, std::string_view piece)>;
  Result<void> blob(const oci::Digest& digest, std::uint64_t from, const BlobSink& sink);
  // A small blob whole, checked.
  Result<std::string> blob_text(const oci::Descriptor& descriptor, std::size_t limit);

  Result<bool> has_blob(const oci::Digest& digest);
  // True when the registry now has it in this repository, taken over from another one of its own.
  Result<bool> mount_blob(const oci::Digest& digest, const std::string& from_path);
  Result<void> push_blob(const oci::Digest& digest, int file, std::uint64_t size);
  Result<oci::Digest> push_manifest(const std::string& version, const std::string& text, std::string_view media_type);
  // The answer of API version 1 to a search, from the first mirror or registry that gives one.
  Result<std::string> search(const std::string& term, std::size_t limit);
  // The login alone; fails as `denied`.
  Result<void> check_login();

 private:
  struct Endpoint {
    std::string url;  // "https://registry-1.docker.io"
    bool verify_tls = true;
    bool insecure = false;
  };
  struct Challenge {
    bool basic = false;
    bool bearer = false;
    std::string realm;
    std::string service;
  };

  std::vector<Endpoint> candidates() const;
  bool is_insecure(const std::string& domain) const;
  Result<void> connect_to(const Endpoint& endpoint);
  Result<FetchedManifest> manifest_here(const oci::Reference& reference);
  std::string path_url(const std::string& rest) const;
  // Adds the login, and once more with a fresh token when that is refused.
  Result<HttpResponse> send(HttpRequest request, const HttpClient::BodySink& sink = nullptr);
  Result<std::string> authorization(const HttpRequest& request, bool refresh);
  Result<std::string> fetch_token();
  Result<std::string> upload_location(const HttpResponse& response) const;
  Error error_of(const HttpResponse& response, const HttpRequest& request) const;
  std::unique_ptr<HttpClient> take_client();
  void give_back(std::unique_ptr<HttpClient> client);

  RegistrySettings settings_;
  oci::Reference repository_;
  Credentials credentials_;
  Access access_;
  std::shared_ptr<std::atomic<bool>> stop_;
  std::vector<Endpoint> left_;  // to be tried
  Endpoint endpoint_;
  Challenge challenge_;
  std::mutex mutex_;  // over what follows
  std::string token_;
  std::vector<std::unique_ptr<HttpClient>> idle_;  // their connections stay open
};

// The challenge of a WWW-Authenticate header, for tests: parameters by name, "" the scheme in lower case.
std::map<std::string, std::string> parse_challenge(std::string_view header);

}  // namespace berth::image
