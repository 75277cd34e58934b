// A registry made of a table, on a loopback port of its own, that can be told to misbehave.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/text.h"
#include "fs/digest.h"
#include "oci/manifest.h"
#include "sys/file.h"
#include "sys/unique_fd.h"

namespace berth::image {

struct StubRequest {
  std::string method, path, query, range, authorization;
};

struct StubResponse {
  int status = 200;
  std::string headers;  // "Name: value\r\n"...
  std::string body;
  std::size_t cut = std::string::npos;  // close the connection after this many bytes of the body
};

class StubRegistry {
 public:
  using Filter = std::function<bool(const StubRequest&, StubResponse&)>;

  StubRegistry() {
    listener_ = sys::UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_.get(), 64), 0);
    EXPECT_EQ(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~StubRegistry() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    acceptor_.join();
    for (std::thread& thread : threads_) thread.join();
  }

  std::string host() const { return fmt::format("127.0.0.1:{}", port_); }
  // Puts an image of these (plain) layers under name:tag and answers its manifest's digest.
  std::string put_image(const std::string& name, const std::string& tag, const std::string& config,
                        const std::vector<std::string>& layers, std::string_view layer_type) {
    oci::Manifest manifest;
    manifest.media_type = oci::kOciManifest;
    manifest.config = {std::string(oci::kOciConfig), put_blob(name, config), config.size(), {}};
    for (const std::string& layer : layers)
      manifest.layers.push_back({std::string(layer_type), put_blob(name, layer), layer.size(), {}});
    return put_manifest(name, tag, oci::print_manifest(manifest), std::string(manifest.media_type));
  }
  std::string put_manifest(const std::string& name, const std::string& tag, const std::string& text,
                           const std::string& type) {
    std::string digest = "sha256:" + fs::sha256_hex(text);
    StubResponse response{200, "Content-Type: " + type + "\r\n", text};
    responses_["/v2/" + name + "/manifests/" + tag] = response;
    responses_["/v2/" + name + "/manifests/" + digest] = response;
    return digest;
  }
  oci::Digest put_blob(const std::string& name, const std::string& bytes) {
    oci::Digest digest = oci::Digest::sha256(fs::sha256_hex(bytes));
    responses_["/v2/" + name + "/blobs/" + digest.text()] = {200, "", bytes};
    return digest;
  }
  StubResponse& response(const std::string& path) { return responses_[path]; }
  // Called with every request on a thread of the stub; true when it has made the response.
  void set_filter(Filter filter) { filter_ = std::move(filter); }

  int count(const std::string& part) {
    std::lock_guard lock(mutex_);
    int found = 0;
    for (const std::string& line : log_) found += line.find(part) != std::string::npos;
    return found;
  }

 private:
  void accept_all() {
    while (true) {
      int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      threads_.emplace_back([this, fd] { serve(sys::UniqueFd(fd)); });
    }
  }

  void serve(sys::UniqueFd fd) {
    std::string text;
    char buffer[4096];
    while (text.find("\r\n\r\n") == std::string::npos) {
      ssize_t got = ::read(fd.get(), buffer, sizeof buffer);
      if (got <= 0) return;
      text.append(buffer, static_cast<std::size_t>(got));
      if (text[0] == 0x16) return;  // a TLS greeting
    }
    StubRequest request = parse(text);
    {
      std::lock_guard lock(mutex_);
      log_.push_back(request.method + " " + request.path + " " + request.range);
    }
    StubResponse response;
    if (!filter_ || !filter_(request, response)) response = answer(request);
    std::string head = fmt::format("HTTP/1.1 {} X\r\nContent-Length: {}\r\nConnection: close\r\n{}\r\n",
                                   response.status, response.body.size(), response.headers);
    (void)sys::write_all(fd.get(), head + (request.method == "HEAD" ? "" : response.body.substr(0, response.cut)));
    ::shutdown(fd.get(), SHUT_WR);
    while (::read(fd.get(), buffer, sizeof buffer) > 0) continue;
  }

  static StubRequest parse(const std::string& text) {
    StubRequest request;
    std::vector<std::string> lines = split(text, '\n');
    std::vector<std::string> words = split(lines[0], ' ');
    request.method = words.at(0);
    auto [path, query] = split_once(words.at(1), '?');
    request.path = path;
    request.query = query.value_or("");
    for (const std::string& line : lines) {
      auto [name, value] = split_once(line, ':');
      if (!value) continue;
      if (to_lower(name) == "range") request.range = trim(*value);
      if (to_lower(name) == "authorization") request.authorization = trim(*value);
    }
    return request;
  }

  StubResponse answer(const StubRequest& request) {
    if (request.path == "/v2/") return {200, "", "{}"};
    auto found = responses_.find(request.path);
    if (found == responses_.end())
      return {404, "", R"({"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]})"};
    StubResponse response = found->second;
    auto from = parse_number<std::size_t>(
        request.range.starts_with("bytes=") ? request.range.substr(6, request.range.size() - 7) : std::string());
    if (from && ranges) {
      response.headers +=
          fmt::format("Content-Range: bytes {}-{}/{}\r\n", *from, response.body.size() - 1, response.body.size());
      response.status = 206;
      response.body = response.body.substr(*from);
    }
    return response;
  }

 public:
  std::atomic<bool> ranges = true;

 private:
  sys::UniqueFd listener_;
  int port_ = 0;
  std::map<std::string, StubResponse> responses_;
  Filter filter_;
  std::mutex mutex_;
  std::vector<std::string> log_;
  std::thread acceptor_;
  std::vector<std::thread> threads_;
};

}  // namespace berth::image
