#include "image/detail/http.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <optional>

#include "base/text.h"

namespace berth::image {

namespace {

constexpr std::size_t kMaxBody = 8 << 20;

void ensure_curl() {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  (void)ready;
}

std::string in_go_case(std::string_view method) {
  std::string text = to_lower(method);
  if (!text.empty()) text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

}  // namespace

struct HttpClient::State {
  CURL* curl = nullptr;
  std::string user_agent;
  std::shared_ptr<std::atomic<bool>> stop;

  // Of the request that runs.
  HttpResponse response;
  const BodySink* sink = nullptr;
  std::optional<Error> failure;
  int body_file = -1;
  off_t body_at = 0;

  ~State() { curl_easy_cleanup(curl); }

  Result<void> take(std::string_view piece) {
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &response.status);
    if (*sink && (response.status == 200 || response.status == 206)) return (*sink)(response, piece);
    if (response.body.size() + piece.size() > kMaxBody)
      return fail(ErrorCode::exhausted, "the registry answers too much");
    response.body.append(piece);
    return {};
  }

  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self) {
    auto* state = static_cast<State*>(self);
    auto taken = state->take({data, size * count});
    if (taken) return size * count;
    state->failure = std::move(taken).error();
    return 0;
  }

  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self) {
    auto* state = static_cast<State*>(self);
    std::string_view line(data, size * count);
    if (line.starts_with("HTTP/")) state->response.headers.clear();
    auto [name, value] = split_once(line, ':');
    if (value) state->response.headers[to_lower(trim(name))] = std::string(trim(*value));
    return size * count;
  }

  static std::size_t on_read(char* buffer, std::size_t size, std::size_t count, void* self) {
    auto* state = static_cast<State*>(self);
    ssize_t got = ::pread(state->body_file, buffer, size * count, state->body_at);
    if (got < 0) return CURL_READFUNC_ABORT;
    state->body_at += got;
    return static_cast<std::size_t>(got);
  }

  // A redirect or a new connection sends the body again.
  static int on_seek(void* self, curl_off_t offset, int origin) {
    if (origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
    static_cast<State*>(self)->body_at = offset;
    return CURL_SEEKFUNC_OK;
  }

  static int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<State*>(self)->stop->load() ? 1 : 0;
  }

  void prepare(const HttpRequest& request, curl_slist* headers);
  void prepare_body(const HttpRequest& request);
  Error error_of(CURLcode code, const HttpRequest& request);
};

HttpClient::HttpClient(std::string user_agent, std::shared_ptr<std::atomic<bool>> stop)
    : state_(std::make_unique<State>()) {
  ensure_curl();
  state_->curl = curl_easy_init();
  if (state_->curl == nullptr) throw std::bad_alloc();
  state_->user_agent = std::move(user_agent);
  state_->stop = std::move(stop);
}
HttpClient::~HttpClient() = default;

void HttpClient::State::prepare(const HttpRequest& request, curl_slist* headers) {
  curl_easy_reset(curl);
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_USERAGENT, user_agent.c_str());
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);  // threads
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  bool is_plain = request.url.starts_with("http://");
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, is_plain ? "http,https" : "https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, request.follow ? 1L : 0L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 10L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 30L);
  // A peer that sends nothing for a minute is gone.
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, 60L);
  curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 512L << 10);
  if (!request.verify_tls) {
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
  }
  if (auto url = parse_url(request.url); url && is_loopback_host(url->host)) curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &State::on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &State::on_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &State::on_progress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, this);
  prepare_body(request);
}

void HttpClient::State::prepare_body(const HttpRequest& request) {
  if (request.method == "HEAD") {
    curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
  } else if (request.body_file >= 0) {
    body_file = request.body_file;
    body_at = 0;
    curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, &State::on_read);
    curl_easy_setopt(curl, CURLOPT_READDATA, this);
    curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, &State::on_seek);
    curl_easy_setopt(curl, CURLOPT_SEEKDATA, this);
    curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.body_size));
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  } else if (request.method != "GET") {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.data());
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
}

// What Go's net/http says to the same: Docker's users search for these texts.
Error HttpClient::State::error_of(CURLcode code, const HttpRequest& request) {
  auto url = parse_url(request.url);
  std::string host = url ? url->host : "";
  std::string port = url && !url->port.empty() ? url->port : request.url.starts_with("https") ? "443" : "80";
  std::string reason;
  long number = 0;
  char* address = nullptr;
  curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &number);
  curl_easy_getinfo(curl, CURLINFO_PRIMARY_IP, &address);
  ErrorCode kind = ErrorCode::io;
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      reason = fmt::format("dial tcp: lookup {}: no such host", host);
      break;
    case CURLE_COULDNT_CONNECT: {
      std::string to = address != nullptr && *address != '\0' ? address : host;
      if (to.find(':') != std::string::npos) to = "[" + to + "]";
      std::string why =
          number != 0 ? to_lower(std::string_view(::strerror(static_cast<int>(number)))) : "connection refused";
      reason = fmt::format("dial tcp {}:{}: connect: {}", to, port, why);
      break;
    }
    case CURLE_OPERATION_TIMEDOUT:
      kind = ErrorCode::timeout;
      reason = fmt::format("dial tcp: {}:{}: i/o timeout", host, port);
      break;
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
      reason = "unexpected EOF";
      break;
    case CURLE_PEER_FAILED_VERIFICATION:
      reason = "tls: failed to verify certificate: " + to_lower(std::string_view(curl_easy_strerror(code)));
      break;
    default:
      reason = curl_easy_strerror(code);
  }
  return Error(kind, fmt::format("{} \"{}\": {}", in_go_case(request.method), request.url, reason));
}

Result<HttpResponse> HttpClient::send(const HttpRequest& request, const BodySink& sink) {
  State& state = *state_;
  state.response = {};
  state.sink = &sink;
  state.failure.reset();
  curl_slist* list = nullptr;
  for (const std::string& header : request.headers) list = curl_slist_append(list, header.c_str());
  state.prepare(request, list);
  CURLcode code = curl_easy_perform(state.curl);
  curl_slist_free_all(list);
  if (state.failure) return std::unexpected(*std::move(state.failure));
  if (code == CURLE_ABORTED_BY_CALLBACK) return fail(ErrorCode::cancelled, "context canceled");
  if (code != CURLE_OK) return std::unexpected(state.error_of(code, request));
  curl_easy_getinfo(state.curl, CURLINFO_RESPONSE_CODE, &state.response.status);
  return std::move(state.response);
}

Result<Url> parse_url(std::string_view text) {
  std::size_t colon = text.find("://");
  if (colon == std::string_view::npos) return fail(ErrorCode::invalid, "\"{}\" is no URL", text);
  Url url;
  url.scheme = to_lower(text.substr(0, colon));
  std::string_view authority = text.substr(colon + 3);
  authority = authority.substr(0, authority.find_first_of("/?#"));
  if (url.scheme != "http" && url.scheme != "https")
    return fail(ErrorCode::invalid, "\"{}\": want http or https", text);
  if (authority.find('@') != std::string_view::npos) return fail(ErrorCode::invalid, "\"{}\" holds a user name", text);
  if (authority.starts_with('[')) {
    std::size_t end = authority.find(']');
    if (end == std::string_view::npos) return fail(ErrorCode::invalid, "\"{}\" is no URL", text);
    url.host = authority.substr(1, end - 1);
    authority.remove_prefix(end + 1);
    if (authority.starts_with(':')) url.port = authority.substr(1);
  } else {
    auto [host, port] = split_once(authority, ':');
    url.host = host;
    url.port = port.value_or("");
  }
  if (url.host.empty()) return fail(ErrorCode::invalid, "\"{}\" names no host", text);
  return url;
}

std::string escape_query(std::string_view text) {
  std::string escaped;
  for (char c : text) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 std::string_view("-._~").find(c) != std::string_view::npos;
    if (plain) {
      escaped += c;
    } else {
      escaped += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return escaped;
}

bool is_loopback_host(std::string_view host) {
  std::string name(host);
  if (name == "localhost") return true;
  in_addr v4{};
  if (::inet_pton(AF_INET, name.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  return ::inet_pton(AF_INET6, name.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

}  // namespace berth::image
