#include "shim/scratch.h"

#include <malloc.h>
#include <sys/mman.h>

namespace berth::shim::scratch {

alignas(4096) char data[64 << 10];
alignas(4096) char datagram[32 << 10];
alignas(4096) char log[256 << 10];

void release() {
  madvise(data, sizeof data, MADV_DONTNEED);
  madvise(datagram, sizeof datagram, MADV_DONTNEED);
  madvise(log, sizeof log, MADV_DONTNEED);
  malloc_trim(0);
}

}  // namespace berth::shim::scratch
