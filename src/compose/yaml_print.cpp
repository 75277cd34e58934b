// Writing YAML: the few shapes that a project needs.
#include <algorithm>

#include "base/text.h"
#include "compose/yaml.h"

namespace berth::compose {

namespace {

// Whether a text without quotes would be read as something else than this text.
bool needs_quotes(std::string_view text) {
  if (text.empty() || text.front() == ' ' || text.back() == ' ') return true;
  if (std::string_view("!&*-?:,[]{}#|>@`\"'%=~<").contains(text.front())) return true;
  if (text.contains(": ") || text.contains(" #") || text.ends_with(':')) return true;
  if (std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; })) return true;
  static constexpr std::string_view kWords[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};
  if (std::ranges::find(kWords, to_lower(text)) != std::end(kWords)) return true;
  bool digit_first = (text[0] >= '0' && text[0] <= '9') || text[0] == '.' || text[0] == '+';
  return digit_first && text.find_first_not_of("0123456789abcdefxoABCDEF.+-_:T") == std::string_view::npos;
}

bool is_block(std::string_view text) {
  return text.contains('\n') && text.find_first_of("\r\t") == std::string_view::npos && text.front() != ' ' &&
         text.front() != '\n' &&
         std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\n'; });
}

class Printer {
 public:
  void value(const json::Value& value, std::size_t depth) {
    if (value.is_object() && !value.get_object().empty()) {
      out_ += '\n';
      members(value.get_object(), depth);
    } else if (value.is_array() && !value.get_array().empty()) {
      out_ += '\n';
      items(value.get_array(), depth);
    } else {
      out_ += ' ';
      scalar(value, depth);
      out_ += '\n';
    }
  }

  void members(const json::Object& object, std::size_t depth, bool first_is_indented = false) {
    for (const auto& member : object) {
      if (!first_is_indented) out_.append(depth * 2, ' ');
      first_is_indented = false;
      text(member.key(), depth);
      out_ += ':';
      value(member.value(), depth + 1);
    }
  }

  std::string take() { return std::move(out_); }

 private:
  void items(const json::Array& array, std::size_t depth) {
    for (const json::Value& item : array) {
      out_.append(depth * 2, ' ');
      out_ += '-';
      if (item.is_object() && !item.get_object().empty()) {
        out_ += ' ';
        members(item.get_object(), depth + 1, true);
      } else {
        value(item, depth + 1);
      }
    }
  }

  void scalar(const json::Value& value, std::size_t depth) {
    if (value.is_string())
      text(value.get_string(), depth);
    else if (value.is_double())
      out_ += fmt::format("{}", value.get_double());
    else
      out_ += json::print(value);
  }

  void text(std::string_view text, std::size_t depth) {
    if (!text.empty() && is_block(text)) {
      out_ += text.ends_with('\n') ? "|" : "|-";
      if (text.ends_with("\n\n")) out_ += '+';
      std::vector<std::string> lines = split(text, '\n');
      if (lines.back().empty()) lines.pop_back();
      for (const std::string& line : lines) {
        out_ += '\n';
        if (!line.empty()) out_.append(depth * 2, ' ').append(line);
      }
    } else if (needs_quotes(text)) {
      // A string of JSON is one of YAML too.
      out_ += json::print(boost::json::string(text));
    } else {
      out_ += text;
    }
  }

  std::string out_;
};

}  // namespace

std::string print_yaml(const json::Value& value) {
  Printer printer;
  if (value.is_object() && !value.get_object().empty()) {
    printer.members(value.get_object(), 0);
    return printer.take();
  }
  printer.value(value, 0);
  std::string text = printer.take();
  return text.substr(std::min(text.find_first_not_of(" \n"), text.size()));
}

}  // namespace berth::compose
