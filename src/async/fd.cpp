#include "async/fd.h"

#include <fcntl.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace berth::async {

namespace asio = boost::asio;

struct Fd::Stream {
  asio::posix::stream_descriptor descriptor;
};

namespace {

std::unexpected<Error> failure(const boost::system::error_code& error, const char* intent) {
  if (error == asio::error::operation_aborted) return fail(ErrorCode::cancelled, "{}: cancelled", intent);
  return fail_errno(error.value(), intent);
}

Task<Result<void>> wait(asio::posix::stream_descriptor& descriptor, asio::posix::descriptor_base::wait_type type) {
  boost::system::error_code error;
  co_await descriptor.async_wait(type, asio::redirect_error(asio::use_awaitable, error));
  if (error) co_return failure(error, "wait");
  co_return Result<void>();
}

}  // namespace

Fd::Fd(Loop& loop, sys::UniqueFd fd)
    : stream_(new Stream{asio::posix::stream_descriptor(loop.context(), fd.release())}) {
  stream_->descriptor.non_blocking(true);
}

Fd::Fd(Fd&&) noexcept = default;
Fd& Fd::operator=(Fd&&) noexcept = default;
Fd::~Fd() = default;

int Fd::get() const { return stream_->descriptor.native_handle(); }

sys::UniqueFd Fd::release() {
  stream_->descriptor.non_blocking(false);
  stream_->descriptor.native_non_blocking(false);
  return sys::UniqueFd(stream_->descriptor.release());
}

void Fd::close() {
  boost::system::error_code ignored;
  stream_->descriptor.close(ignored);
}

Task<Result<void>> Fd::readable() { return wait(stream_->descriptor, asio::posix::descriptor_base::wait_read); }
Task<Result<void>> Fd::writable() { return wait(stream_->descriptor, asio::posix::descriptor_base::wait_write); }

Task<Result<std::size_t>> Fd::read_some(std::span<char> buffer) {
  boost::system::error_code error;
  std::size_t got = co_await stream_->descriptor.async_read_some(asio::buffer(buffer.data(), buffer.size()),
                                                                 asio::redirect_error(asio::use_awaitable, error));
  if (error == asio::error::eof) co_return std::size_t(0);
  if (error) co_return failure(error, "read");
  co_return got;
}

Task<Result<void>> Fd::write_all(std::string_view bytes) {
  boost::system::error_code error;
  co_await asio::async_write(stream_->descriptor, asio::buffer(bytes.data(), bytes.size()),
                             asio::redirect_error(asio::use_awaitable, error));
  if (error) co_return failure(error, "write");
  co_return Result<void>();
}

}  // namespace berth::async
