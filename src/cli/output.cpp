#include "cli/output.h"

#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "base/text.h"
#include "cli/table.h"
#include "sys/file.h"

namespace berth::cli {

namespace {

constexpr std::string_view kTable = "table";

std::string replace_all(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

bool wants_json(const ListOptions& options) { return options.format == "json" || options.output == "json"; }

Result<void> check_output(const ListOptions& options) {
  if (!options.output.empty() && options.output != "json")
    return fail(ErrorCode::invalid, "unknown output \"{}\": use -o json, or leave it out for a table", options.output);
  return {};
}

void append_pretty(std::string& out, const json::Value& value, std::size_t depth) {
  auto open_line = [&](std::size_t level) { out.append(1, '\n').append(level * 4, ' '); };
  if (value.is_array() && !value.get_array().empty()) {
    out += '[';
    for (std::string_view comma = ""; const json::Value& element : value.get_array()) {
      out += comma;
      open_line(depth + 1);
      append_pretty(out, element, depth + 1);
      comma = ",";
    }
    open_line(depth);
    out += ']';
  } else if (value.is_object() && !value.get_object().empty()) {
    out += '{';
    for (std::string_view comma = ""; const auto& item : value.get_object()) {
      out += comma;
      open_line(depth + 1);
      out += json::print(boost::json::string(item.key()));
      out += ": ";
      append_pretty(out, item.value(), depth + 1);
      comma = ",";
    }
    open_line(depth);
    out += '}';
  } else if (value.is_double()) {
    out += fmt::format("{}", value.get_double());
  } else {
    out += json::print(value);
  }
}

// A row as Go's encoder prints it: members sorted, and <, > and & escaped, since a page may show it.
std::string print_row(const json::Object& row) {
  std::vector<std::string_view> keys;
  for (const auto& item : row) keys.push_back(item.key());
  std::ranges::sort(keys);
  json::Object sorted;
  for (std::string_view key : keys) sorted[key] = row.at(key);
  std::string text;
  for (char c : json::print(sorted)) {
    if (c == '<' || c == '>' || c == '&')
      text += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    else
      text += c;
  }
  return text;
}

// {{.Label "com.example.some-key"}} in a header: "some key".
std::string label_header(std::string_view label) {
  std::string header(label.substr(label.rfind('.') + 1));
  std::ranges::replace(header, '-', ' ');
  std::ranges::replace(header, '_', ' ');
  return header;
}

}  // namespace

Result<void> print_out(std::string_view text) {
  return annotate(sys::write_all(STDOUT_FILENO, text), "write to stdout");
}

void print_error(std::string_view text) {
  // Where stderr cannot be written, there is nobody left to tell.
  (void)sys::write_all(STDERR_FILENO, text);
}

void add_format_flag(Flags& flags, ListOptions& options) {
  flags.add("format", options.format,
            "A Go template for the output; 'json' prints JSON; 'table TEMPLATE' keeps the header");
  flags.add("output,o", options.output, "'json' prints JSON");
}

void add_list_flags(Flags& flags, ListOptions& options) {
  add_format_flag(flags, options);
  flags.add("quiet,q", options.quiet, "Print only the ids");
  flags.add("no-trunc", options.no_trunc, "Print everything at full length");
}

void add_filter_flag(Flags& flags, std::string_view spec, std::vector<std::string>& filters) {
  auto set = [&filters](std::string_view text) -> Result<void> {
    if (!text.contains('=')) return fail(ErrorCode::invalid, "bad format of filter (expected name=value)");
    filters.emplace_back(text);
    return {};
  };
  flags.add_value(spec, "filter", set, "Only what fits: NAME=VALUE");
}

Listing::Listing(std::string_view type_name, std::string_view default_format, std::vector<Column> columns)
    : type_name_(type_name), default_format_(default_format), columns_(std::move(columns)) {}

void Listing::add(json::Object row, json::Value labels) { rows_.push_back({std::move(row), std::move(labels)}); }

Result<std::string> Listing::render(const ListOptions& options) const {
  TRY_OK(check_output(options));
  std::string text;
  if (wants_json(options)) {
    for (const Row& row : rows_) text += print_row(row.fields) + "\n";
    return text;
  }
  bool table = is_table(options.format);
  auto shape = Template::parse(cells_of(options.format));
  if (!shape) return fail(ErrorCode::invalid, "template parsing error: {}", shape.error().text());
  if (table && !(options.quiet && options.format.empty())) {
    TRY(std::string line, render_header(*shape));
    text += line + "\n";
  }
  for (const Row& row : rows_) {
    auto line = shape->render(row.fields, context_of(row));
    if (!line) return fail(ErrorCode::invalid, "template parsing error: {}", line.error().text());
    text += *line + "\n";
  }
  return table ? align_columns(text) : text;
}

bool Listing::is_table(std::string_view format) { return format.empty() || format.starts_with(kTable); }

std::string Listing::cells_of(std::string_view format) const {
  if (format.starts_with(kTable)) format.remove_prefix(kTable.size());
  std::string cells(trim(format));
  if (cells.empty()) cells = default_format_;
  return replace_all(replace_all(std::move(cells), "\\t", "\t"), "\\n", "\n");
}

// The header is the template over the titles; a field that does not exist shows as <no value> there.
Result<std::string> Listing::render_header(const Template& shape) const {
  json::Object titles;
  for (const Column& column : columns_) titles[column.field] = column.header;
  TemplateContext context;
  context.method = [](std::string_view name, const auto& arguments) -> std::optional<json::Value> {
    if (name != "Label" || arguments.size() != 1 || !arguments[0].is_string()) return {};
    return boost::json::string(label_header(arguments[0].get_string()));
  };
  auto line = shape.render(titles, context);
  if (!line) return fail(ErrorCode::invalid, "template parsing error: {}", line.error().text());
  return line;
}

TemplateContext Listing::context_of(const Row& row) const {
  auto method = [&row](std::string_view name, const auto& arguments) -> std::optional<json::Value> {
    if (name != "Label" || arguments.size() != 1 || !arguments[0].is_string()) return {};
    return boost::json::string(json::string_or(row.labels, arguments[0].get_string()));
  };
  return {type_name_, method, print_row(row.fields)};
}

Result<void> Listing::check_format(std::string_view format) const {
  if (format == "json") return {};
  auto shape = Template::parse(cells_of(format));
  if (!shape) return fail(ErrorCode::invalid, "failed to parse template: {}", shape.error().text());
  Row empty;
  for (const Column& column : columns_) empty.fields[column.field] = "";
  auto line = shape->render(empty.fields, context_of(empty));
  if (!line) return fail(ErrorCode::invalid, "failed to execute template: {}", line.error().text());
  return {};
}

std::string pretty_json(const json::Value& value) {
  std::string text;
  append_pretty(text, value, 0);
  return text;
}

Result<std::string> render_documents(const json::Array& documents, const ListOptions& options) {
  TRY_OK(check_output(options));
  std::string text;
  if (options.format.empty()) return pretty_json(documents) + "\n";
  if (options.format == "json") {
    return json::print(documents) + "\n";
  }
  auto shape = Template::parse(options.format);
  if (!shape) return fail(ErrorCode::invalid, "template parsing error: {}", shape.error().text());
  for (const json::Value& document : documents) {
    auto line = shape->render(document);
    if (!line) return fail(ErrorCode::invalid, "template parsing error: {}", line.error().text());
    text += *line + "\n";
  }
  return text;
}

std::string local_time(Time time, bool with_fraction) {
  std::time_t seconds = time.nanoseconds / 1'000'000'000;
  std::tm parts{};
  localtime_r(&seconds, &parts);
  char day[32], zone[32];
  std::strftime(day, sizeof day, "%Y-%m-%d %H:%M:%S", &parts);
  std::strftime(zone, sizeof zone, "%z %Z", &parts);
  std::string fraction;
  if (with_fraction && time.nanoseconds % 1'000'000'000 != 0) {
    fraction = fmt::format(".{:09}", time.nanoseconds % 1'000'000'000);
    fraction.erase(fraction.find_last_not_of('0') + 1);
  }
  return fmt::format("{}{} {}", day, fraction, zone);
}

Result<std::string> point_in_time(std::string_view text, std::string_view flag) {
  if (text.empty()) return "";
  if (text.find_first_not_of("0123456789.") == std::string_view::npos) return std::string(text);
  auto print = [](std::int64_t nanoseconds) {
    return fmt::format("{}.{:09}", nanoseconds / 1'000'000'000, nanoseconds % 1'000'000'000);
  };
  if (auto age = parse_duration(text)) return print(now().nanoseconds - age->count());
  if (auto time = parse_rfc3339(text)) return print(time->nanoseconds);
  // A date, or a time without a zone, is local.
  std::tm parts{};
  for (const char* format : {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"}) {
    std::string copy(text);
    parts = {};
    parts.tm_isdst = -1;
    const char* end = ::strptime(copy.c_str(), format, &parts);
    if (end != nullptr && *end == '\0') return print(std::mktime(&parts) * 1'000'000'000);
  }
  std::string prefix = flag.empty() ? "" : fmt::format("invalid value for \"{}\": ", flag);
  return fail(ErrorCode::invalid, "{}failed to parse value as time or duration: \"{}\"", prefix, text);
}

std::string time_ago(Time time) {
  return human_duration(std::chrono::nanoseconds(now().nanoseconds - time.nanoseconds)) + " ago";
}

std::string short_size(double bytes) {
  static constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB", "PB"};
  std::size_t unit = 0;
  for (; bytes >= 1000.0 && unit + 1 < std::size(kUnits); ++unit) bytes /= 1000.0;
  return fmt::format("{:.3g}{}", bytes, kUnits[unit]);
}

std::string short_id(std::string_view id, bool no_trunc) {
  if (no_trunc) return std::string(id);
  if (auto [algorithm, digits] = split_once(id, ':'); digits) id = *digits;
  return std::string(id.substr(0, 12));
}

std::string join_labels(const json::Value* labels) {
  if (labels == nullptr || !labels->is_object()) return {};
  std::vector<std::string> pairs;
  for (const auto& item : labels->get_object())
    pairs.push_back(fmt::format("{}={}", std::string_view(item.key()), print_go(item.value())));
  std::ranges::sort(pairs);
  return join(pairs, ",");
}

}  // namespace berth::cli
