#include "image/download.h"

#include <ctime>

#include "image/detail/http.h"
#include "sys/file.h"

namespace berth::image {

namespace {

// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, section 5.6.7).
Time parse_http_date(const std::string& text) {
  std::tm parts{};
  const char* end = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (end == nullptr || *end != '\0') return {};
  return Time{static_cast<std::int64_t>(::timegm(&parts)) * 1'000'000'000};
}

}  // namespace

Result<Download> download(const std::string& url, int to, std::uint64_t limit,
                          std::shared_ptr<std::atomic<bool>> stop) {
  HttpClient client("berth", std::move(stop));
  HttpRequest request;
  request.url = url;
  Download done;
  auto sink = [&](const HttpResponse&, std::string_view piece) -> Result<void> {
    done.bytes += piece.size();
    if (done.bytes > limit) return fail(ErrorCode::exhausted, "{} is larger than {} bytes", url, limit);
    return sys::write_all(to, piece);
  };
  TRY(HttpResponse response, client.send(request, sink));
  constexpr long kOk = 200;
  if (response.status != kOk) return fail(ErrorCode::io, "failed to GET {} with status {}", url, response.status);
  done.modified = parse_http_date(response.header("last-modified"));
  return done;
}

}  // namespace berth::image
