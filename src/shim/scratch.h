// The static working memory of the shim's one thread. Its pages exist only once they are touched, and go back to the
// kernel when a burst is over, so that an idle shim is small.
#pragma once

#include <cstddef>

namespace berth::shim::scratch {

// What one read takes from a container's output or an attached stream; of no meaning beyond the function that read.
alignas(4096) extern char data[64 << 10];
// One datagram of a control connection, while it is being answered.
alignas(4096) extern char datagram[32 << 10];
// Encoded log lines of this turn of the loop (log_writer.h): room for a full read of ordinary lines.
alignas(4096) extern char log[256 << 10];

// Gives the pages back, and those of the program's own code and constants, which stay in the page cache: a process of
// this size is mostly the C library, whose start-up code it will not need again. Only between turns, when nothing is
// held in the buffers.
void release();

}  // namespace berth::shim::scratch
