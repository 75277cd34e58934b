// Passes bytes between a TLS session and a plain stream socket until both have ended, with half-closes kept: the end of
// one direction (close_notify, or shutdown(2)) ends that direction on the other side. A side that has gone altogether
// takes the other along at once, so that nobody serves a client that is no longer there.
//
// Thread: the loop's.
#pragma once

#include "async/loop.h"
#include "tls/session.h"

namespace berth::tls {

// The session's handshake is done. The error, if any, is why the session ended early.
async::Task<Result<void>> relay(async::Loop& loop, Session& session, sys::UniqueFd plain);

}  // namespace berth::tls
