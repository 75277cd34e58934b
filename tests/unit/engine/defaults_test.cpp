#include "engine/defaults.h"

#include <gtest/gtest.h>

#include "engine/id_ranges.h"
#include "engine/shim_client.h"
#include "engine/signals.h"

namespace berth::engine {
namespace {

oci::ImageConfig image() {
  oci::ImageConfig image;
  image.config.env = {"PATH=/image/bin", "LANG=C"};
  image.config.entrypoint = std::vector<std::string>{"/entry"};
  image.config.cmd = std::vector<std::string>{"default"};
  image.config.working_dir = "/srv";
  image.config.user = "user";
  image.config.labels = {{"a", "image"}, {"b", "image"}};
  return image;
}

CreateRequest request() {
  CreateRequest request;
  request.spec.id = "0123456789abcdef";
  return request;
}

using Words = std::vector<std::string>;

TEST(Complete, TakesTheImagesProcess) {
  CreateRequest asked = request();
  ASSERT_TRUE(complete(asked, image()));
  EXPECT_EQ(asked.spec.process.args, (Words{"/entry", "default"}));
  EXPECT_EQ(asked.spec.process.working_dir, "/srv");
  EXPECT_EQ(asked.spec.process.user, "user");
  EXPECT_EQ(asked.spec.hostname, "0123456789ab");
}

TEST(Complete, ACommandReplacesTheImagesCommandOnly) {
  CreateRequest asked = request();
  asked.cmd = Words{"x"};
  ASSERT_TRUE(complete(asked, image()));
  EXPECT_EQ(asked.spec.process.args, (Words{"/entry", "x"}));
}

TEST(Complete, AnEntrypointDropsTheImagesCommand) {
  CreateRequest asked = request();
  asked.entrypoint = Words{"/other"};
  ASSERT_TRUE(complete(asked, image()));
  EXPECT_EQ(asked.spec.process.args, (Words{"/other"}));
}

TEST(Complete, AnEmptyEntrypointResets) {
  CreateRequest asked = request();
  asked.entrypoint = Words{""};
  EXPECT_EQ(complete(asked, image()).error().text(), "no command specified");
  asked = request();
  asked.entrypoint = Words{""};
  asked.cmd = Words{"sh"};
  ASSERT_TRUE(complete(asked, image()));
  EXPECT_EQ(asked.spec.process.args, (Words{"sh"}));
}

TEST(Complete, EnvironmentsMergeInOrder) {
  CreateRequest asked = request();
  asked.spec.process.env = {"LANG=de", "NEW=1", "EMPTY="};
  ASSERT_TRUE(complete(asked, image()));
  EXPECT_EQ(asked.spec.process.env, (Words{"PATH=/image/bin", "LANG=de", "NEW=1", "EMPTY="}));
}

TEST(Complete, LabelsOfTheRequestWin) {
  CreateRequest asked = request();
  asked.spec.labels = {{"b", "mine"}};
  ASSERT_TRUE(complete(asked, image()));
  EXPECT_EQ(asked.spec.labels, (std::map<std::string, std::string>{{"a", "image"}, {"b", "mine"}}));
}

TEST(Complete, WrongRequestsGetDockersTexts) {
  struct Row {
    void (*spoil)(ContainerSpec&);
    std::string_view text;
  };
  const Row rows[] = {
      {[](ContainerSpec& s) { s.resources.memory = 1 << 20; }, "Minimum memory limit allowed is 6MB"},
      {[](ContainerSpec& s) { s.resources.nano_cpus = 100'000 * 1'000'000'000LL; }, "range of CPUs is from 0.01 to "},
      {[](ContainerSpec& s) { s.stop_signal = "NOSUCH"; }, "invalid signal: NOSUCH"},
      {[](ContainerSpec& s) { s.restart.name = "bad"; }, "invalid restart policy: unknown policy 'bad'"},
      {[](ContainerSpec& s) { s.log.driver = "gelf"; }, "error looking up logging plugin gelf"},
      {[](ContainerSpec& s) { s.process.working_dir = "rel"; }, "the working directory 'rel' is invalid"},
      {[](ContainerSpec& s) { s.mounts = {{"volume", "v", "rel"}}; }, "invalid mount config for type \"volume\""},
      {[](ContainerSpec& s) { s.mounts = {{"volume", "v", "/a"}, {"volume", "w", "//a/"}}; }, "Duplicate mount point"},
      {[](ContainerSpec& s) { s.mounts = {{"volume", "v", "/"}}; }, "invalid volume specification"},
      {[](ContainerSpec& s) { s.pid_mode = "shareable"; }, "invalid PID mode: shareable"},
  };
  for (const Row& row : rows) {
    CreateRequest asked = request();
    row.spoil(asked.spec);
    auto completed = complete(asked, image());
    ASSERT_FALSE(completed) << row.text;
    EXPECT_TRUE(completed.error().text().starts_with(row.text)) << completed.error().text();
    EXPECT_EQ(completed.error().code(), ErrorCode::invalid);
  }
}

TEST(IdRanges, AreNeverSharedAndRestBeforeReuse) {
  IdRanges ranges(1000, 3);
  auto a = ranges.take(), b = ranges.take();
  ASSERT_TRUE(a && b);
  EXPECT_EQ(*b - *a, IdRanges::kSize);
  ranges.release(*a);
  auto c = ranges.take();
  EXPECT_NE(*c, *a);
  EXPECT_EQ(*ranges.take(), *a);
  auto none = ranges.take();
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), ErrorCode::exhausted);
}

TEST(IdRanges, MarksWhatTheDiskHoldsAndIgnoresStrangers) {
  IdRanges ranges(1000, 2);
  ranges.mark(1000);
  ranges.mark(7);
  ranges.mark(4'000'000'000u);
  EXPECT_EQ(*ranges.take(), 1000 + IdRanges::kSize);
  EXPECT_FALSE(ranges.take());
}

TEST(Signals, AllWays) {
  EXPECT_EQ(*parse_signal("SIGTERM"), 15);
  EXPECT_EQ(*parse_signal("term"), 15);
  EXPECT_EQ(*parse_signal("9"), 9);
  EXPECT_EQ(*parse_signal("SIGRTMIN+3"), 37);
  EXPECT_EQ(*parse_signal("RTMAX-1"), 63);
  for (const char* bad : {"", "0", "65", "-1", "NOSUCH", "RTMIN-1", "RTMIN+99", "SIG"})
    EXPECT_FALSE(parse_signal(bad)) << bad;
  EXPECT_EQ(parse_signal("NOSUCH").error().text(), "invalid signal: NOSUCH");
}

TEST(ShimFields, RoundTrip) {
  ShimFields fields{{"a", "1"}, {"path", "/x=y\nz"}, {"empty", ""}};
  EXPECT_EQ(decode_shim_fields(encode_shim_fields(fields)), fields);
  EXPECT_TRUE(decode_shim_fields("").empty());
}

}  // namespace
}  // namespace berth::engine
