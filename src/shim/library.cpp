// The few things of the C++ library that the compiler or a header asks for, without its exceptions: the library's own
// would link the unwinder, the demangler and a 70 KiB pool into a program whose size counts once per container. With
// -nostdlib++ a new dependency is a link error, not a bigger shim.
#include <stdlib.h>
#include <unistd.h>

#include <cstddef>
#include <initializer_list>
#include <new>
#include <string_view>

void* operator new(std::size_t size) {
  void* memory = malloc(size);
  if (memory == nullptr) abort();
  return memory;
}
void operator delete(void* memory) noexcept { free(memory); }
void operator delete(void* memory, std::size_t) noexcept { free(memory); }

extern "C" [[noreturn]] void __cxa_pure_virtual() { abort(); }

namespace std {

// string_view::substr() beyond the end.
void __throw_out_of_range_fmt(const char*, ...) { abort(); }

// _GLIBCXX_ASSERTIONS: says where before it aborts.
void __glibcxx_assert_fail(const char* file, int, const char* function, const char* condition) noexcept {
  for (const char* part : {"berth-shim: ", file, ": ", function, ": ", condition, "\n"}) {
    if (part == nullptr) continue;
    std::size_t length = 0;
    while (part[length] != '\0') ++length;
    if (write(STDERR_FILENO, part, length) < 0) break;
  }
  abort();
}

}  // namespace std
