// The log: one line an event on stderr, key=value, ids always under the same keys (container, image, exec, workspace,
// request). error means that a person must look.
//
//   log::info("container started", {{"container", id}, {"pid", pid}});
//
// Thread: any. A line is one write(2), so lines of several threads or processes never mix.
#pragma once

#include <fmt/format.h>

#include <initializer_list>
#include <string>
#include <string_view>

namespace berth::log {

enum class Level { debug, info, warning, error };

struct Field {
  template <class T>
  Field(std::string_view key_, const T& value_) : key(key_), value(fmt::format("{}", value_)) {}
  std::string_view key;
  std::string value;
};

// The least level that is written; info unless told.
void set_level(Level level);
Level level();

void write(Level level, std::string_view event, std::initializer_list<Field> fields);

inline void debug(std::string_view event, std::initializer_list<Field> fields = {}) {
  if (level() <= Level::debug) write(Level::debug, event, fields);
}
inline void info(std::string_view event, std::initializer_list<Field> fields = {}) {
  write(Level::info, event, fields);
}
inline void warning(std::string_view event, std::initializer_list<Field> fields = {}) {
  write(Level::warning, event, fields);
}
inline void error(std::string_view event, std::initializer_list<Field> fields = {}) {
  write(Level::error, event, fields);
}

}  // namespace berth::log
