#include "portal/form.h"

#include <algorithm>

#include "base/json.h"
#include "base/text.h"
#include "http/message.h"

namespace berth::portal {

namespace {

std::unexpected<workspace::Problem> bad(std::string message) {
  return workspace::refuse(ErrorCode::invalid, "bad_request", std::move(message));
}

// A token or quoted string at the beginning of text, which is moved past it.
std::optional<std::string> take_value(std::string_view& text) {
  std::string value;
  if (!text.starts_with('"')) {
    value = text.substr(0, text.find(';'));
    text.remove_prefix(value.size());
    return std::string(trim(value));
  }
  for (text.remove_prefix(1); !text.empty(); text.remove_prefix(1)) {
    if (text.front() == '"') {
      text.remove_prefix(1);
      return value;
    }
    // Browsers escape a quote as %22 and leave a backslash alone; curl escapes both by a backslash.
    if (text.front() == '\\' && text.size() > 1 && (text[1] == '"' || text[1] == '\\')) text.remove_prefix(1);
    value += text.front();
  }
  return {};
}

// The name of a part from its header lines, each ended by CRLF.
Outcome<std::string> part_name(std::string_view head) {
  std::optional<std::string> name;
  while (!head.empty()) {
    std::size_t end = head.find("\r\n");
    std::string_view line = head.substr(0, end);
    head.remove_prefix(end == std::string_view::npos ? head.size() : end + 2);
    auto [field, value] = split_once(line, ':');
    if (!value) return bad("A part of the form has a broken header.");
    if (to_lower(field) == "content-transfer-encoding" && to_lower(trim(*value)) != "binary" &&
        to_lower(trim(*value)) != "8bit" && to_lower(trim(*value)) != "7bit")
      return bad("A part of the form has a transfer encoding that is not supported.");
    if (to_lower(field) != "content-disposition") continue;
    if (name || !to_lower(trim(*value)).starts_with("form-data")) return bad("A part of the form is no form field.");
    name = header_parameter(*value, "name");
  }
  if (!name) return bad("A part of the form has no name.");
  return *name;
}

}  // namespace

std::optional<std::string> header_parameter(std::string_view field, std::string_view name) {
  std::size_t semicolon = field.find(';');
  if (semicolon == std::string_view::npos) return {};
  std::string_view rest = field.substr(semicolon);
  while (rest.starts_with(';')) {
    rest.remove_prefix(1);
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    std::size_t equals = rest.find_first_of("=;");
    if (equals == std::string_view::npos || rest[equals] == ';') {
      rest.remove_prefix(std::min(equals, rest.size()));
      continue;
    }
    std::string key = to_lower(trim(rest.substr(0, equals)));
    rest.remove_prefix(equals + 1);
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    auto value = take_value(rest);
    if (!value) return {};
    if (key == name) return value;
    rest.remove_prefix(std::min(rest.find(';'), rest.size()));
  }
  return {};
}

Outcome<Form> Form::parse(std::string_view content_type, std::string_view body) {
  if (body.size() > kMaxFormBytes) return bad("The form is too large.");
  std::string type = to_lower(trim(split_once(content_type, ';').first));
  if (type == "multipart/form-data") {
    auto boundary = header_parameter(content_type, "boundary");
    if (!boundary) return bad("The multipart form names no boundary.");
    return parse_multipart(*boundary, body);
  }
  if (type == "application/x-www-form-urlencoded") return parse_urlencoded(body);
  if (type == "application/json" || type.empty()) return parse_json(body);
  return workspace::refuse(ErrorCode::invalid, "bad_request", "The request's content type is not known.",
                           "send multipart/form-data, application/x-www-form-urlencoded or application/json");
}

Outcome<Form> Form::parse_multipart(std::string_view boundary, std::string_view body) {
  if (boundary.empty() || boundary.size() > 70) return bad("The boundary of the multipart form is not valid.");
  const std::string delimiter = fmt::format("\r\n--{}", boundary);
  std::string_view rest = body;
  // The first delimiter may stand at the very beginning, where it has no CRLF before it.
  if (rest.starts_with(std::string_view(delimiter).substr(2))) {
    rest.remove_prefix(delimiter.size() - 2);
  } else {
    std::size_t start = rest.find(delimiter);
    if (start == std::string_view::npos) return bad("The multipart form has no part.");
    rest.remove_prefix(start + delimiter.size());
  }
  Form form;
  while (!rest.starts_with("--")) {
    if (!rest.starts_with("\r\n")) return bad("The multipart form is broken.");
    // The CRLF that ends the delimiter line is also what an empty head begins with.
    std::size_t end_of_head = rest.find("\r\n\r\n");
    if (end_of_head == std::string_view::npos) return bad("The multipart form is cut off.");
    if (end_of_head > kMaxPartHeaders) return bad("A part of the form has too large a header.");
    std::string_view head = end_of_head < 2 ? std::string_view() : rest.substr(2, end_of_head - 2);
    rest.remove_prefix(end_of_head + 4);
    std::size_t end = rest.find(delimiter);
    if (end == std::string_view::npos) return bad("The multipart form is cut off.");
    TRY(std::string name, part_name(head));
    TRY_OK(form.add(name, rest.substr(0, end)));
    rest.remove_prefix(end + delimiter.size());
  }
  return form;
}

Outcome<Form> Form::parse_urlencoded(std::string_view body) {
  Form form;
  for (const std::string& pair : split(body, '&')) {
    if (pair.empty()) continue;
    auto [name, value] = split_once(pair, '=');
    std::string parts[2] = {std::string(name), std::string(value.value_or(""))};
    for (std::string& part : parts) {
      std::ranges::replace(part, '+', ' ');
      auto decoded = http::percent_decode(part);
      if (!decoded) return bad("The form is not URL-encoded.");
      part = std::move(*decoded);
    }
    TRY_OK(form.add(parts[0], parts[1]));
  }
  return form;
}

Outcome<Form> Form::parse_json(std::string_view body) {
  Form form;
  if (trim(body).empty()) return form;
  auto value = json::parse(body);
  if (!value) return bad(fmt::format("The request is not JSON: {}.", value.error().text()));
  if (!value->is_object()) return bad("The request is not a JSON object.");
  for (const auto& [name, member] : value->get_object()) {
    if (member.is_null()) continue;
    if (member.is_object() || member.is_array())
      return bad(fmt::format("The member \"{}\" is neither a string nor a number.", std::string_view(name)));
    TRY_OK(form.add(name, member.is_string() ? std::string(member.get_string()) : json::print(member)));
  }
  return form;
}

Outcome<> Form::add(std::string_view name, std::string_view value) {
  if (fields_.size() == kMaxFields) return bad(fmt::format("The form has more than {} fields.", kMaxFields));
  if (name.empty() || name.size() > kMaxFieldName) return bad("A field of the form has no proper name.");
  if (value.find('\0') != std::string_view::npos) return bad("A field of the form holds a NUL.");
  fields_.emplace_back(name, value);
  return {};
}

std::string Form::get(std::string_view name) const {
  std::string joined;
  for (const auto& [key, value] : fields_) {
    if (key != name || trim(value).empty()) continue;
    if (!joined.empty()) joined += '\n';
    joined += trim(value);
  }
  return joined;
}

bool Form::has(std::string_view name) const { return !get(name).empty(); }

std::optional<std::string> Form::first_unknown(const std::vector<std::string_view>& known) const {
  for (const auto& [name, value] : fields_)
    if (std::ranges::find(known, name) == known.end()) return name;
  return {};
}

}  // namespace berth::portal
