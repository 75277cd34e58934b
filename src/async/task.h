// Coroutines: Task<T> is what an asynchronous function returns. It starts when it is awaited or spawned.
//
// House rules: parameters by value; no reference held across a co_await that a comment cannot explain; no capturing
// lambda as a coroutine; name an aggregate before the co_await that uses it. A task may be cancelled at a co_await of
// this folder's waits; fallible waits then answer ErrorCode::cancelled.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "base/error.h"

namespace berth::async {

template <class T = void>
using Task = boost::asio::awaitable<T>;

}  // namespace berth::async
