#include "cli/template.h"

#include <gtest/gtest.h>

namespace berth::cli {
namespace {

json::Value dot() {
  return *json::parse(R"({"Name": "web", "Id": "abc", "Count": 3, "Ratio": 0.5, "On": true, "Off": false, "None": null,
      "List": ["a", "b"], "Empty": [], "Labels": {"b": "2", "a": "1"},
      "State": {"Status": "running", "Pid": 7, "Deep": {"X": "y"}},
      "Ports": {"80/tcp": [{"HostPort": "8080"}], "90/udp": null}, "Html": "<a&b>"})");
}

std::string render(std::string_view text) {
  auto shape = Template::parse(text);
  if (!shape) return "parse: " + shape.error().text();
  auto out = shape->render(dot());
  return out ? *out : "run: " + out.error().text();
}

TEST(Template, PrintsTextAndFields) {
  EXPECT_EQ(render("plain"), "plain");
  EXPECT_EQ(render("{{.Name}}/{{ .State.Status }}"), "web/running");
  EXPECT_EQ(render("{{.State.Deep.X}}"), "y");
  EXPECT_EQ(render("{{.Count}} {{.Ratio}} {{.On}} {{.None}}"), "3 0.5 true <no value>");
  EXPECT_EQ(render("{{.List}} {{.Labels}}"), "[a b] map[a:1 b:2]");
  EXPECT_EQ(render("{{.ID}}"), "abc") << "Go's name of the field differs in case";
}

TEST(Template, CallsFunctions) {
  EXPECT_EQ(render("{{json .State}}"), R"({"Status":"running","Pid":7,"Deep":{"X":"y"}})");
  EXPECT_EQ(render("{{json .Html}}"), R"("<a&b>")");
  EXPECT_EQ(render("{{upper .Name}} {{lower \"AB\"}} {{title \"two words\"}}"), "WEB ab Two Words");
  EXPECT_EQ(render("{{join .List \",\"}} {{index (split \"x:y\" \":\") 1}}"), "a,b y");
  EXPECT_EQ(render("{{index .Labels \"a\"}}{{index .Labels \"zz\"}}|{{index .List 1}}"), "1|b");
  EXPECT_EQ(render("{{(index (index .Ports \"80/tcp\") 0).HostPort}}"), "8080");
  EXPECT_EQ(render("{{(index .Ports \"80/tcp\" 0).HostPort}}"), "8080");
  EXPECT_EQ(render("{{len .List}} {{len .Labels}} {{len .Name}}"), "2 2 3");
  EXPECT_EQ(render("{{println .Name}}{{print 1 2 \"x\" 3}}"), "web\n1 2x3");
  EXPECT_EQ(render("{{printf \"%s-%05d-%5s|%-4s|%q %.2f\" .Name 42 \"r\" \"l\" \"q\" .Ratio}}"),
            "web-00042-    r|l   |\"q\" 0.50");
  EXPECT_EQ(render("{{truncate .Name 2}} {{pad \"x\" 1 2}}."), "we  x  .");
  EXPECT_EQ(render("{{slice .Name 1 3}}"), "eb");
}

TEST(Template, Pipes) {
  EXPECT_EQ(render("{{.Name | upper | printf \"%s!\"}}"), "WEB!");
  EXPECT_EQ(render("{{.List | len | eq 2}}"), "true");
}

TEST(Template, Decides) {
  EXPECT_EQ(render("{{if .On}}yes{{else}}no{{end}}"), "yes");
  EXPECT_EQ(render("{{if .Off}}a{{else if eq .Name \"web\"}}b{{else}}c{{end}}"), "b");
  EXPECT_EQ(render("{{if and .On (not .Off) (gt .Count 2)}}x{{end}}"), "x");
  EXPECT_EQ(render("{{if or .Off .Empty .None}}x{{else}}y{{end}}"), "y");
  EXPECT_EQ(render("{{eq .Name \"a\" \"web\"}} {{ne 1 2}} {{lt 1 2}} {{le 2 2}} {{ge 1 2}}"),
            "true true true true false");
  EXPECT_EQ(render("{{with .State}}{{.Status}}{{end}}{{with .None}}x{{else}}-{{end}}"), "running-");
}

TEST(Template, Ranges) {
  EXPECT_EQ(render("{{range .List}}[{{.}}]{{end}}"), "[a][b]");
  EXPECT_EQ(render("{{range $i, $e := .List}}{{$i}}={{$e}} {{end}}"), "0=a 1=b ");
  EXPECT_EQ(render("{{range $k, $v := .Labels}}{{$k}}{{$v}};{{end}}"), "a1;b2;");
  EXPECT_EQ(render("{{range .Empty}}x{{else}}none{{end}}"), "none");
  EXPECT_EQ(render("{{range .List}}{{.}}{{break}}{{end}}{{range .List}}{{continue}}x{{end}}"), "a");
  EXPECT_EQ(render("{{range .List}}{{$.Name}} {{end}}"), "web web ");
}

TEST(Template, KeepsVariables) {
  EXPECT_EQ(render("{{$x := .Name}}{{$x}}{{$x = \"b\"}}{{$x}}"), "webb");
  EXPECT_EQ(render("{{$s := .State}}{{$s.Status}}"), "running");
}

TEST(Template, TrimsAndSkipsComments) {
  EXPECT_EQ(render("a  {{- .Name -}}  b"), "awebb");
  EXPECT_EQ(render("a{{/* note */}}b {{- /* note */ -}} c"), "abc");
  EXPECT_EQ(render("{{-1}}"), "-1") << "without a blank it is a number";
}

TEST(Template, FailsInGosWords) {
  EXPECT_EQ(render("{{.ID"), "parse: template: :1: unclosed action");
  EXPECT_EQ(render("{{foo}}"), "parse: template: :1: function \"foo\" not defined");
  EXPECT_EQ(render("{{if .On}}x"), "parse: template: :1: unexpected EOF");
  EXPECT_EQ(render("{{end}}"), "parse: template: :1: unexpected {{end}}");
  EXPECT_EQ(render("a\n{{\"x}}"), "parse: template: :2: unterminated quoted string");
  EXPECT_EQ(render("{{}}"), "parse: template: :1: missing value for command");
  EXPECT_EQ(render("{{.Foo}}"), "run: template: :1:2: executing \"\" at <.Foo>: map has no entry for key \"Foo\"");
  EXPECT_EQ(render("{{.State.Foo}}"),
            "run: template: :1:8: executing \"\" at <.State.Foo>: map has no entry for key \"Foo\"")
      << "Go tells the place of the second field";
  EXPECT_EQ(render("{{index .None 0}}"),
            "run: template: :1:2: executing \"\" at <index .None 0>: error calling index: index of untyped nil");
  EXPECT_EQ(render("{{$y}}"), "run: template: :1:2: executing \"\" at <$y>: undefined variable: $y");
}

TEST(Template, SurvivesHostileText) {
  std::string deep(2000, '(');
  EXPECT_TRUE(render("{{" + deep).starts_with("parse: "));
  std::string blocks;
  for (int i = 0; i < 500; ++i) blocks += "{{if .On}}";
  EXPECT_TRUE(render(blocks).starts_with("parse: "));
  for (std::string_view text : {"{{",
                                "{{-",
                                "{{- ",
                                "{{/*",
                                "{{|}}",
                                "{{.Name|}}",
                                "{{$}}",
                                "{{$x :=}}",
                                "{{range}}",
                                "{{(}}",
                                "{{'",
                                "{{`",
                                "{{else}}",
                                "{{.}}{{-}}",
                                "{{. .}}",
                                "{{printf \"%\"}}",
                                "{{printf}}",
                                "{{slice .Name 3 1}}",
                                "{{index .List -1}}",
                                "{{index .List 99}}"})
    (void)render(text);
}

TEST(Template, AsksItsContext) {
  auto shape = Template::parse("{{.Label \"a\"}} {{json .}}");
  ASSERT_TRUE(shape);
  TemplateContext context{"*formatter.ContainerContext",
                          [](std::string_view name, const auto& arguments) -> std::optional<json::Value> {
                            if (name != "Label") return {};
                            return json::Value("label " + std::string(arguments[0].get_string()));
                          },
                          "{row}"};
  auto text = shape->render(dot(), context);
  ASSERT_TRUE(text) << text.error().text();
  EXPECT_EQ(*text, "label a {row}");
  auto missing = Template::parse("{{.Foo}}")->render(dot(), context);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().text(),
            "template: :1:2: executing \"\" at <.Foo>: can't evaluate field Foo in type *formatter.ContainerContext");
}

}  // namespace
}  // namespace berth::cli
