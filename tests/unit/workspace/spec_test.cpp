#include "workspace/spec.h"

#include <gtest/gtest.h>

#include "workspace/name.h"

namespace berth::workspace {

namespace {

Spec example() {
  Spec spec;
  spec.name = "joe";
  spec.image = "debian:bookworm";
  spec.keys = {{"ssh-ed25519", "AAAAC3NzaC1lZDI1NTE5AAAAIHZkgt1+6v0t7GXOPozxIX7VusvoBtsU2Cv+90XzV7Ja", "joe@laptop"}};
  spec.memory = 1 << 30;
  spec.nano_cpus = 1'500'000'000;
  spec.number = 7;
  return spec;
}

const json::Value& at(const json::Value& value, std::string_view pointer) {
  boost::system::error_code error;
  const json::Value* found = value.find_pointer(pointer, error);
  EXPECT_NE(found, nullptr) << pointer << " is not in " << json::print(value);
  static const json::Value none;
  return found == nullptr ? none : *found;
}

}  // namespace

TEST(Name, AcceptsWhatPeopleAreCalled) {
  for (const char* name : {"joe", "43880338", "a", "0", "anna.maria", "x-1_2.3", "web2"})
    EXPECT_TRUE(check_name(name)) << name;
  EXPECT_TRUE(check_name(std::string(kMaxNameLength, 'a')));
}

TEST(Name, RefusesEverythingElse) {
  using namespace std::string_literals;
  const std::string cases[] = {"",       "Joe",    "-joe",       "joe-",   ".joe",
                               "joe.",   "_joe",   "joe_",       "..",     "jo e",
                               "jo/e",   "../etc", "joe\n",      "joe\0"s, "jo\xc3\xa9",
                               "joe;ls", "$(id)",  "joe:latest", "%2e",    std::string(kMaxNameLength + 1, 'a')};
  for (const std::string& name : cases) {
    auto result = check_name(name);
    ASSERT_FALSE(result) << name;
    EXPECT_EQ(result.error().name(), "bad_name");
    EXPECT_FALSE(result.error().hint().empty());
    // What was sent may hold anything, so it is not sent back.
    if (!name.empty() && name != "-joe" && name != "..")
      EXPECT_EQ(result.error().error().text().find(name), std::string::npos);
  }
}

TEST(Name, MakesHostNamesOfLettersDigitsAndHyphens) { EXPECT_EQ(host_name("a_b.c"), "a-b.c"); }

TEST(Spec, ComesBackFromItsLabels) {
  auto back = spec_of(labels_of(example()));
  ASSERT_TRUE(back) << back.error().error().text();
  EXPECT_EQ(*back, example());
}

TEST(Spec, BrokenLabelsAreAnError) {
  Labels labels = labels_of(example());
  EXPECT_FALSE(spec_of({}));
  for (const char* text : {"", "{", "[]", "{}", R"({"name":"joe"})", R"({"name":"../x","keys":"","number":1})"}) {
    labels[std::string(kSpecLabel)] = text;
    EXPECT_FALSE(spec_of(labels)) << text;
  }
}

TEST(Spec, BecomesAContainerThatOnlyWakes) {
  json::Value body = container_body(example(), Settings{}, "2026-01-02");
  EXPECT_EQ(at(body, "/Image"), "debian:bookworm");
  EXPECT_EQ(json::print(at(body, "/Entrypoint")), R"(["/.berth/bin/init","-P"])");
  EXPECT_EQ(at(body, "/Labels/berth.workspace"), "joe");
  EXPECT_EQ(at(body, "/HostConfig/Memory"), 1 << 30);
  EXPECT_EQ(at(body, "/HostConfig/NanoCpus"), 1'500'000'000);
  EXPECT_EQ(at(body, "/HostConfig/PidsLimit"), 512);
  EXPECT_EQ(at(body, "/HostConfig/NetworkMode"), "workspaces");
  EXPECT_EQ(at(body, "/HostConfig/Mounts/0/Source"), "joe-home");
  EXPECT_EQ(at(body, "/HostConfig/Mounts/0/Target"), "/home/user");
  EXPECT_EQ(at(body, "/HostConfig/Mounts/1/Source"), "joe-state");
  EXPECT_EQ(at(body, "/Berth/Activations/0/Listen"), "0.0.0.0:2070");
  EXPECT_EQ(at(body, "/Berth/Activations/0/Exec/Env/0"),
            "BERTH_KEYS=ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHZkgt1+6v0t7GXOPozxIX7VusvoBtsU2Cv+90XzV7Ja joe@laptop\n");
  EXPECT_EQ(at(body, "/Berth/Activations/0/Exec/Env/1"), "BERTH_IMAGE=debian:bookworm");
  EXPECT_EQ(at(body, "/Berth/Activations/0/Exec/Env/2"), "BERTH_IMAGE_DATE=2026-01-02");
  EXPECT_EQ(at(body, "/Berth/Activations/0/Exec/Env/3"), "BERTH_SESSION_TIMEOUT=900");
  EXPECT_EQ(at(body, "/Berth/IdleTimeout"), 600);
  EXPECT_EQ(at(body, "/Berth/GuestTools"), true);
}

TEST(Spec, ListensOnAddressesOfBothFamilies) {
  Settings settings;
  settings.listen_address = "::";
  EXPECT_EQ(at(container_body(example(), settings, ""), "/Berth/Activations/0/Listen"), "[::]:2070");
}

TEST(Spec, AnnouncementsHaveNoAddressAndAreNoWorkspaces) {
  json::Value body = announcement_body(example());
  EXPECT_EQ(body.get_object().if_contains("Berth"), nullptr);
  Labels labels;
  for (const auto& [key, value] : at(body, "/Labels").as_object()) labels[std::string(key)] = value.as_string().c_str();
  EXPECT_FALSE(labels.contains(std::string(kNameLabel)));
  EXPECT_EQ(labels.at(std::string(kNextLabel)), "joe");
  auto spec = spec_of(labels);
  ASSERT_TRUE(spec);
  EXPECT_EQ(*spec, example());
}

}  // namespace berth::workspace
