#include "engine/shim_client.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/log.h"
#include "base/text.h"

namespace berth::engine {

std::string ShimMessage::get(std::string_view name) const {
  for (const auto& [key, value] : fields)
    if (key == name) return value;
  return {};
}

std::int64_t ShimMessage::number(std::string_view name, std::int64_t fallback) const {
  return parse_number<std::int64_t>(get(name)).value_or(fallback);
}

std::string encode_shim_fields(const ShimFields& fields) {
  std::string bytes;
  for (const auto& [key, value] : fields) {
    bytes += key;
    bytes += '=';
    bytes += value;
    bytes += '\0';
  }
  return bytes;
}

ShimFields decode_shim_fields(std::string_view bytes) {
  ShimFields fields;
  while (!bytes.empty()) {
    std::size_t end = std::min(bytes.find('\0'), bytes.size());
    auto [key, value] = split_once(bytes.substr(0, end), '=');
    fields.emplace_back(key, value.value_or(""));
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
  }
  return fields;
}

namespace {

constexpr int kControlFd = 3;
constexpr int kRuntimeFd = 4;

ShimMessage decode(sys::Message message) {
  ShimMessage result;
  result.fields = decode_shim_fields(message.bytes);
  if (!result.fields.empty()) {
    result.verb = result.fields.front().first;
    result.fields.erase(result.fields.begin());
  }
  result.fds = std::move(message.fds);
  return result;
}

}  // namespace

Result<std::shared_ptr<ShimClient>> ShimClient::spawn(async::Loop& loop, const std::string& program,
                                                      const std::string& conf_file, const Runtime& runtime) {
  TRY(auto pair, sys::socket_pair(SOCK_SEQPACKET));
  sys::SpawnOptions options;
  options.argv = {program, conf_file};
  options.fds = {{pair.second.get(), kControlFd}, {STDERR_FILENO, STDERR_FILENO}};
  auto sealed = runtime.sealed ? runtime.sealed->get() : nullptr;
  if (sealed) {
    options.argv.push_back("sealed-runtime");
    options.fds.push_back({sealed->get(), kRuntimeFd});
  }
  options.directory = "/";
  options.new_session = true;
  TRY(sys::Process process, sys::spawn(options));
  return std::shared_ptr<ShimClient>(new ShimClient(loop, std::move(pair.first), std::move(process)));
}

Result<std::shared_ptr<ShimClient>> ShimClient::connect(async::Loop& loop, const std::string& socket,
                                                        sys::Process shim) {
  TRY(sys::UniqueFd fd, sys::connect_unix(socket, SOCK_SEQPACKET));
  return std::shared_ptr<ShimClient>(new ShimClient(loop, std::move(fd), std::move(shim)));
}

async::Task<Result<ShimMessage>> ShimClient::request(std::string verb, ShimFields fields,
                                                     std::vector<sys::UniqueFd> fds) {
  auto self = shared_from_this();
  if (closed_) co_return fail(ErrorCode::not_found, "the shim has left");
  std::uint64_t seq = next_seq_++;
  std::string bytes = verb + '\0' + encode_shim_fields({{"seq", std::to_string(seq)}}) + encode_shim_fields(fields);
  std::vector<int> numbers;
  for (const auto& fd : fds) numbers.push_back(fd.get());
  auto pending = std::make_shared<Pending>(loop_);
  pending_[seq] = pending;
  while (true) {
    auto sent = sys::send_message(socket_.get(), bytes, numbers);
    if (sent) break;
    if (sent.error().errno_value() != EAGAIN) {
      pending_.erase(seq);
      co_return std::unexpected(std::move(sent).error().with("shim: " + verb));
    }
    auto ready = co_await socket_.writable();
    if (!ready) {
      pending_.erase(seq);
      co_return std::unexpected(std::move(ready).error());
    }
  }
  fds.clear();
  while (!pending->done.is_set()) {
    co_await pending->done.wait();
    // A cancelled caller still waits for the answer: the shim acts in any case, and its state must be known.
    if (!pending->done.is_set()) co_await async::yield();
  }
  if (!pending->reply) co_return fail(ErrorCode::io, "shim: {}: the shim died", verb);
  ShimMessage reply = std::move(*pending->reply);
  if (reply.verb == "ok") co_return reply;
  co_return fail(ErrorCode::internal, "{}", reply.get("message"));
}

async::Task<Result<ShimMessage>> ShimClient::receive() {
  while (true) {
    // First what is there: a client that has seen its exec's stream end asks for the exit code at once, and the exit
    // must not still lie behind another message then.
    auto message = sys::receive_message(socket_.get(), 32 << 10);
    if (message) {
      if (message->bytes.empty()) co_return fail(ErrorCode::not_found, "the shim has closed");
      co_return decode(std::move(*message));
    }
    if (message.error().errno_value() != EAGAIN) co_return std::unexpected(std::move(message).error());
    CO_TRY_OK(co_await socket_.readable());
  }
}

async::Task<> ShimClient::run(std::function<void(ShimMessage)> handler) {
  auto self = shared_from_this();
  while (true) {
    auto message = co_await receive();
    if (!message) break;
    auto seq = parse_number<std::uint64_t>(message->get("seq"));
    if (!seq) {
      handler(std::move(*message));
      continue;
    }
    auto pending = pending_.find(*seq);
    if (pending == pending_.end()) continue;
    pending->second->reply = std::move(*message);
    pending->second->done.set();
    pending_.erase(pending);
  }
  closed_ = true;
  for (auto& [seq, pending] : pending_) pending->done.set();
  pending_.clear();
  co_await reap();
}

async::Task<> ShimClient::reap() {
  int copy = ::fcntl(process_.pidfd(), F_DUPFD_CLOEXEC, 0);
  if (copy < 0) co_return;
  async::Fd ended(loop_, sys::UniqueFd(copy));
  if (!co_await ended.readable()) co_return;
  // A shim of an earlier engine is not our child; whoever adopted it reaps it.
  if (auto status = process_.try_wait()) wait_status_ = *status;
}

}  // namespace berth::engine
