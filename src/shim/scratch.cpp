#include "shim/scratch.h"

#include <malloc.h>
#include <sys/mman.h>

#include <cstdint>

// The linker's names for the beginning and the end of what is mapped read-only from the program file.
extern "C" char __executable_start[];
extern "C" char etext[];

namespace berth::shim::scratch {

alignas(4096) char data[64 << 10];
alignas(4096) char datagram[32 << 10];
alignas(4096) char log[256 << 10];

namespace {
constexpr std::size_t kPage = 4096;  // or a divisor of it: madvise(2) then refuses, and the pages stay
}

void release() {
  madvise(data, sizeof data, MADV_DONTNEED);
  madvise(datagram, sizeof datagram, MADV_DONTNEED);
  madvise(log, sizeof log, MADV_DONTNEED);
  malloc_trim(0);
  char* const code_end = etext - reinterpret_cast<std::uintptr_t>(etext) % kPage;
  madvise(__executable_start, static_cast<std::size_t>(code_end - __executable_start), MADV_DONTNEED);
}

}  // namespace berth::shim::scratch
