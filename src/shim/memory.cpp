// operator new and delete on malloc alone: the library's own would link the exception runtime.
#include <stdlib.h>

#include <cstddef>
#include <new>

void* operator new(std::size_t size) {
  void* memory = malloc(size);
  if (memory == nullptr) abort();
  return memory;
}
void operator delete(void* memory) noexcept { free(memory); }
void operator delete(void* memory, std::size_t) noexcept { free(memory); }
