#include "portal/form.h"

#include <gtest/gtest.h>

#include "portal/portal.h"

namespace berth::portal {

namespace {

std::string part(std::string_view headers, std::string_view value) {
  return fmt::format("--b\r\n{}\r\n\r\n{}\r\n", headers, value);
}

std::string field(std::string_view name, std::string_view value) {
  return part(fmt::format("Content-Disposition: form-data; name=\"{}\"", name), value);
}

std::string reason_of(const Outcome<Form>& form) {
  if (form) return "accepted";
  EXPECT_EQ(form.error().name(), "bad_request");
  return form.error().error().text();
}

}  // namespace

TEST(Multipart, ReadsFieldsAndFiles) {
  std::string body = field("user", "joe") +
                     part(
                         "Content-Disposition: form-data; name=\"key\"; filename=\"id.pub\"\r\n"
                         "Content-Type: application/octet-stream",
                         "ssh-ed25519 AAAA joe\n") +
                     field("image", "") + "--b--\r\n";
  auto form = Form::parse("multipart/form-data; boundary=b", body);
  ASSERT_TRUE(form) << reason_of(form);
  EXPECT_EQ(form->get("user"), "joe");
  EXPECT_EQ(form->get("key"), "ssh-ed25519 AAAA joe");
  EXPECT_FALSE(form->has("image"));
  EXPECT_FALSE(form->has("other"));
}

TEST(Multipart, JoinsRepeatedFields) {
  auto form = Form::parse_multipart("b", field("key", "one\n") + field("key", " two ") + "--b--");
  ASSERT_TRUE(form);
  EXPECT_EQ(form->get("key"), "one\ntwo");
}

TEST(Multipart, KeepsWhatLooksLikeADelimiterButIsNone) {
  auto form = Form::parse_multipart("b", field("key", "a --b-- c\n--b") + "--b--");
  ASSERT_TRUE(form) << reason_of(form);
  EXPECT_EQ(form->get("key"), "a --b-- c\n--b");
}

TEST(Multipart, SkipsAPreamble) {
  auto form = Form::parse_multipart("b", "hello\r\n" + field("user", "joe") + "--b--\r\nbye");
  ASSERT_TRUE(form) << reason_of(form);
  EXPECT_EQ(form->get("user"), "joe");
}

TEST(Multipart, EveryCutIsNoticed) {
  std::string whole = field("user", "joe") + field("key", "x") + "--b--";
  for (std::size_t length = 0; length < whole.size(); ++length)
    EXPECT_FALSE(Form::parse_multipart("b", std::string_view(whole).substr(0, length))) << length;
  EXPECT_TRUE(Form::parse_multipart("b", whole));
}

TEST(Multipart, RefusesBrokenParts) {
  const std::pair<std::string, const char*> cases[] = {
      {part("Content-Type: text/plain", "x"), "A part of the form has no name."},
      {part("nonsense", "x"), "A part of the form has a broken header."},
      {part("Content-Disposition: attachment; name=\"a\"", "x"), "A part of the form is no form field."},
      {part("Content-Disposition: form-data; name=\"a\"\r\nContent-Disposition: form-data; name=\"b\"", "x"),
       "A part of the form is no form field."},
      {part("Content-Disposition: form-data; name=\"a\"\r\nContent-Transfer-Encoding: base64", "x"),
       "A part of the form has a transfer encoding that is not supported."},
      {part("Content-Disposition: form-data; name=\"\"", "x"), "A field of the form has no proper name."},
      {part("Content-Disposition: form-data; name=\"a", "x"), "A part of the form has no name."},
      {field(std::string(kMaxFieldName + 1, 'n'), "x"), "A field of the form has no proper name."},
      {part("X: " + std::string(kMaxPartHeaders, 'h'), "x"), "A part of the form has too large a header."},
      {field("a", std::string("x\0y", 3)), "A field of the form holds a NUL."},
      {"", "The multipart form has no part."},
      {"\r\n", "The multipart form has no part."},
  };
  for (const auto& [body, reason] : cases)
    EXPECT_EQ(reason_of(Form::parse_multipart("b", body.empty() || body == "\r\n" ? body : body + "--b--")), reason);
}

TEST(Multipart, BoundsPartsAndBoundaries) {
  std::string many;
  for (std::size_t i = 0; i <= kMaxFields; ++i) many += field("a", "x");
  EXPECT_EQ(reason_of(Form::parse_multipart("b", many + "--b--")), "The form has more than 32 fields.");
  EXPECT_FALSE(Form::parse_multipart("", "----"));
  EXPECT_FALSE(Form::parse_multipart(std::string(71, 'b'), "x"));
  EXPECT_EQ(reason_of(Form::parse("multipart/form-data", "x")), "The multipart form names no boundary.");
  EXPECT_EQ(reason_of(Form::parse("multipart/form-data; boundary=b", std::string(kMaxFormBytes + 1, 'x'))),
            "The form is too large.");
}

TEST(HeaderParameter, ReadsTokensAndQuotedStrings) {
  EXPECT_EQ(header_parameter("a; name=x; b=y", "name"), "x");
  EXPECT_EQ(header_parameter("a; NAME = \"x; y\"; b=z", "name"), "x; y");
  EXPECT_EQ(header_parameter("a; name=\"x; y\"; b=z", "b"), "z");
  EXPECT_EQ(header_parameter("a; name=\"q\\\"q\"", "name"), "q\"q");
  EXPECT_EQ(header_parameter("a; filename=\"C:\\dir\"; name=x", "name"), "x");
  EXPECT_FALSE(header_parameter("a; name=\"open", "name"));
  EXPECT_FALSE(header_parameter("name=x", "name"));
  EXPECT_FALSE(header_parameter("a; other; xname=1", "name"));
}

TEST(UrlEncoded, DecodesNamesAndValues) {
  auto form = Form::parse("application/x-www-form-urlencoded; charset=utf-8", "user=joe&key=ssh-rsa+AA%2B%3D+c&&x");
  ASSERT_TRUE(form) << reason_of(form);
  EXPECT_EQ(form->get("key"), "ssh-rsa AA+= c");
  EXPECT_FALSE(Form::parse_urlencoded("a=%zz"));
  EXPECT_FALSE(Form::parse_urlencoded("a=%00"));
  EXPECT_FALSE(Form::parse_urlencoded("=x"));
}

TEST(JsonForm, TakesFlatObjects) {
  auto form = Form::parse("application/json", R"({"name":"joe","memory":1048576,"cpus":1.5,"image":null})");
  ASSERT_TRUE(form) << reason_of(form);
  EXPECT_EQ(form->get("memory"), "1048576");
  EXPECT_FALSE(form->has("image"));
  EXPECT_TRUE(Form::parse("", ""));
  for (const char* body : {"[]", "1", "{", R"({"a":{}})", R"({"a":[1]})"}) EXPECT_FALSE(Form::parse_json(body)) << body;
  EXPECT_FALSE(Form::parse("text/plain", "a"));
}

TEST(CreateRequest, ReadsBothSpellings) {
  auto form = Form::parse_json(R"({"user":"joe","key":"k","memory":"1g","cpus":"0.5","image":"debian"})");
  ASSERT_TRUE(form);
  auto request = create_request_of(*form);
  ASSERT_TRUE(request) << request.error().error().text();
  EXPECT_EQ(request->name, "joe");
  EXPECT_EQ(request->keys, "\nk");
  EXPECT_EQ(request->memory, 1 << 30);
  EXPECT_EQ(request->nano_cpus, 500'000'000);
  EXPECT_EQ(request->image, "debian");
}

TEST(CreateRequest, RefusesWhatItDoesNotKnowByName) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"usr":"joe"})", "There is no field \"usr\"."},
      {R"({"home":"https://example.org/h"})", "The field \"home\" is not supported yet."},
      {R"({"projects":"x"})", "The field \"projects\" is not supported yet."},
      {R"({"<\n>":"x"})", "A field has a name that nobody knows."},
      {R"({"memory":"lots"})", "The memory is not a size."},
      {R"({"memory":-5})", "The memory is not a size."},
      {R"({"cpus":"nan"})", "The number of processors is not a number from 0.01 to 4096."},
      {R"({"cpus":"1e9"})", "The number of processors is not a number from 0.01 to 4096."},
      {R"({"cpus":0})", "The number of processors is not a number from 0.01 to 4096."},
  };
  for (const auto& [body, reason] : cases) {
    auto form = Form::parse_json(body);
    ASSERT_TRUE(form) << body;
    auto request = create_request_of(*form);
    ASSERT_FALSE(request) << body;
    EXPECT_EQ(request.error().error().text(), reason);
  }
}

}  // namespace berth::portal
