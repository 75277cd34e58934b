// What the command prints: bytes on stdout and stderr, JSON documents, and lists as tables, templates or JSON lines.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/time.h"
#include "cli/flags.h"
#include "cli/template.h"

namespace berth::cli {

// Whole writes to stdout and stderr, unbuffered. A reader that has gone ends the process by SIGPIPE, as users of pipes
// expect; any other failure is reported.
Result<void> print_out(std::string_view text);
void print_error(std::string_view text);

// --format, -o json, -q and --no-trunc, which all listing verbs share.
struct ListOptions {
  std::string format;
  std::string output;
  bool quiet = false;
  bool no_trunc = false;
};
void add_format_flag(Flags& flags, ListOptions& options);  // --format and -o
void add_list_flags(Flags& flags, ListOptions& options);   // these, -q and --no-trunc

// -f / --filter NAME=VALUE, collected for encode_filters().
void add_filter_flag(Flags& flags, std::string_view spec, std::vector<std::string>& filters);

// One list: rows of string fields, each of which has a column header.
class Listing {
 public:
  struct Column {
    std::string_view field;
    std::string_view header;
  };

  // type_name is what Docker calls the rows in "can't evaluate field X in type T". default_format is a template whose
  // cells are separated by tabs ("{{.ID}}\t{{.Names}}"). columns lists all fields there are.
  Listing(std::string_view type_name, std::string_view default_format, std::vector<Column> columns);

  // labels, when the rows have them, serve {{.Label "key"}}.
  void add(json::Object row, json::Value labels = nullptr);

  // The text of the list in the wanted form: table by default; "table TEMPLATE", "TEMPLATE", "json".
  Result<std::string> render(const ListOptions& options) const;
  // Whether the rows have what the format asks for, before there are any.
  Result<void> check_format(std::string_view format) const;

 private:
  struct Row {
    json::Object fields;
    json::Value labels;
  };
  static bool is_table(std::string_view format);
  std::string cells_of(std::string_view format) const;
  Result<std::string> render_header(const Template& shape) const;
  TemplateContext context_of(const Row& row) const;

  std::string_view type_name_;
  std::string default_format_;
  std::vector<Column> columns_;
  std::vector<Row> rows_;
};

// JSON indented by four blanks, members in their order, as `docker inspect` prints it.
std::string pretty_json(const json::Value& value);
// Documents as the inspect verbs print them: an indented list, the list on one line, or a template applied to each.
Result<std::string> render_documents(const json::Array& documents, const ListOptions& options);

// "2026-11-22 11:17:20 +0000 UTC" in the local time zone; with_fraction: "...:20.123 +0000 UTC".
std::string local_time(Time time, bool with_fraction = false);
// What --since and --until take, as seconds since the epoch with nine decimals: "2026-11-22T10:00:00Z", "2026-11-22",
// "1700000000.5", or an age such as "10m". Empty stays empty. flag, when not empty, is named in the error.
Result<std::string> point_in_time(std::string_view text, std::string_view flag);
// "3 hours ago".
std::string time_ago(Time time);
// 1234567 -> "1.23MB": three significant digits, as image lists have it.
std::string short_size(double bytes);
// The first 12 digits of an id, without "sha256:"; the whole id with no_trunc.
std::string short_id(std::string_view id, bool no_trunc = false);
// "a=1,b=2" of an object of strings.
std::string join_labels(const json::Value* labels);

}  // namespace berth::cli
