#include "cli/output.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "cli/table.h"

namespace berth::cli {
namespace {

TEST(Table, AlignsCellsAndLeavesTheLastAlone) {
  EXPECT_EQ(align_columns("ID\tNAME\tX\nabcdefghijkl\tw\ty\n"),
            "ID             NAME      X\nabcdefghijkl   w         y\n");
}

TEST(Table, CountsCodePoints) { EXPECT_EQ(align_columns("ää\tx\nb\ty"), "ää        x\nb         y"); }

TEST(Table, AColumnEndsWhereALineHasNoCell) {
  EXPECT_EQ(align_columns("aaaaaaaaaaaa\tb\nplain\nc\td", {.min_width = 0, .padding = 1}),
            "aaaaaaaaaaaa b\nplain\nc d");
}

TEST(Table, CutsLongTextWithAnEllipsis) {
  EXPECT_EQ(ellipsis("short", 20), "short");
  EXPECT_EQ(ellipsis("0123456789", 10), "0123456789");
  EXPECT_EQ(ellipsis("0123456789a", 10), "012345678…");
  EXPECT_EQ(ellipsis("ääää", 3), "ää…");
}

Listing listing() {
  Listing list("*formatter.ContainerContext", "{{.ID}}\t{{.Names}}", {{"ID", "CONTAINER ID"}, {"Names", "NAMES"}});
  list.add({{"ID", "1"}, {"Names", "a<b"}}, json::Object{{"com.x.the-key", "v"}});
  return list;
}

std::string render(std::string format, bool quiet = false, std::string output = "") {
  ListOptions options;
  options.format = std::move(format);
  options.quiet = quiet;
  options.output = std::move(output);
  auto text = listing().render(options);
  return text ? *text : text.error().text();
}

TEST(Listing, PrintsATableByDefault) { EXPECT_EQ(render(""), "CONTAINER ID   NAMES\n1              a<b\n"); }

TEST(Listing, PrintsTemplates) {
  EXPECT_EQ(render("{{.Names}}\\t{{.ID}}"), "a<b\t1\n");
  EXPECT_EQ(render("table {{.Names}}\\t{{.Label \"com.x.the-key\"}}"), "NAMES     the key\na<b       v\n");
  EXPECT_EQ(render("table"), render(""));
}

TEST(Listing, PrintsJsonLinesAsGoDoes) {
  EXPECT_EQ(render("json"), "{\"ID\":\"1\",\"Names\":\"a\\u003cb\"}\n");
  EXPECT_EQ(render("", false, "json"), render("json"));
  EXPECT_EQ(render("{{json .}}"), render("json"));
  EXPECT_EQ(render("{{json .Names}}"), "\"a<b\"\n");
}

TEST(Listing, QuietHasNoHeader) {
  Listing list("x", "{{.ID}}", {{"ID", "ID"}});
  list.add({{"ID", "1"}});
  ListOptions options;
  options.quiet = true;
  EXPECT_EQ(*list.render(options), "1\n");
}

TEST(Listing, ChecksAFormatBeforeThereAreRows) {
  EXPECT_TRUE(listing().check_format("table {{.Names}}"));
  EXPECT_EQ(listing().check_format("{{.ID").error().text(), "failed to parse template: template: :1: unclosed action");
  EXPECT_EQ(listing().check_format("{{.Foo}}").error().text(),
            "failed to execute template: template: :1:2: executing \"\" at <.Foo>: "
            "can't evaluate field Foo in type *formatter.ContainerContext");
}

TEST(Listing, SaysWhatIsWrongWithAFormat) {
  EXPECT_EQ(render("{{.ID"), "template parsing error: template: :1: unclosed action");
  EXPECT_EQ(render("{{.Foo}}"),
            "template parsing error: template: :1:2: executing \"\" at <.Foo>: "
            "can't evaluate field Foo in type *formatter.ContainerContext");
  EXPECT_EQ(render("", false, "yaml"), "unknown output \"yaml\": use -o json, or leave it out for a table");
}

TEST(Documents, ArePrintedAsInspectDoes) {
  json::Array documents{*json::parse(R"({"b": 1, "a": [], "c": {}, "d": ["x", {"y": 0.5}]})")};
  EXPECT_EQ(
      *render_documents(documents, {}),
      "[\n    {\n        \"b\": 1,\n        \"a\": [],\n        \"c\": {},\n        \"d\": [\n            \"x\",\n"
      "            {\n                \"y\": 0.5\n            }\n        ]\n    }\n]\n");
  EXPECT_EQ(*render_documents({}, {}), "[]\n");
  ListOptions options;
  options.format = "{{.b}}";
  EXPECT_EQ(*render_documents(documents, options), "1\n");
}

TEST(Words, OfSizesIdsAndLabels) {
  EXPECT_EQ(short_size(0), "0B");
  EXPECT_EQ(short_size(1'980'000), "1.98MB");
  EXPECT_EQ(short_size(103'400'000), "103MB");
  EXPECT_EQ(short_id("sha256:0123456789abcdef"), "0123456789ab");
  EXPECT_EQ(short_id("sha256:0123456789abcdef", true), "sha256:0123456789abcdef");
  json::Value labels = json::Object{{"b", "2"}, {"a", "1"}};
  EXPECT_EQ(join_labels(&labels), "a=1,b=2");
  EXPECT_EQ(join_labels(nullptr), "");
}

TEST(Words, OfTimes) {
  ::setenv("TZ", "UTC", 1);
  EXPECT_EQ(local_time(Time{1'700'000'000'120'000'000}), "2023-11-14 22:13:20 +0000 UTC");
  EXPECT_EQ(local_time(Time{1'700'000'000'120'000'000}, true), "2023-11-14 22:13:20.12 +0000 UTC");
  EXPECT_EQ(*point_in_time("", "since"), "");
  EXPECT_EQ(*point_in_time("1700000000.5", "since"), "1700000000.5");
  EXPECT_EQ(*point_in_time("2023-11-14T22:13:20Z", "since"), "1700000000.000000000");
  EXPECT_EQ(*point_in_time("2023-11-14", "since"), "1699920000.000000000");
  EXPECT_EQ(point_in_time("foo", "since").error().text(),
            "invalid value for \"since\": failed to parse value as time or duration: \"foo\"");
}

}  // namespace
}  // namespace berth::cli
