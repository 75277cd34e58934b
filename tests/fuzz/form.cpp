// Bodies and content types that the portal is sent: whatever they are, parsing ends, and a form that parsed keeps its
// promises.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "portal/form.h"
#include "portal/portal.h"

// The first line is the content type, the rest is the body.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  std::size_t end = input.find('\n');
  std::string_view type = input.substr(0, end);
  std::string_view body = end == std::string_view::npos ? std::string_view() : input.substr(end + 1);
  auto form = berth::portal::Form::parse(type, body);
  if (!form) {
    if (form.error().name() != "bad_request") std::abort();
    return 0;
  }
  for (std::string_view name : {"user", "key", "image"})
    if (form->get(name).find('\0') != std::string::npos) std::abort();
  (void)berth::portal::create_request_of(*form);
  return 0;
}
