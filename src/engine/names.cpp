#include "engine/names.h"

#include <fmt/format.h>

#include <array>
#include <random>
#include <string_view>

namespace berth::engine {

namespace {

constexpr std::array kAdjectives = {
    std::string_view("amber"),  std::string_view("brave"),  std::string_view("calm"),    std::string_view("clear"),
    std::string_view("crisp"),  std::string_view("daring"), std::string_view("eager"),   std::string_view("fair"),
    std::string_view("fleet"),  std::string_view("gentle"), std::string_view("golden"),  std::string_view("grand"),
    std::string_view("hardy"),  std::string_view("jolly"),  std::string_view("keen"),    std::string_view("lively"),
    std::string_view("loyal"),  std::string_view("lucky"),  std::string_view("mellow"),  std::string_view("merry"),
    std::string_view("nimble"), std::string_view("noble"),  std::string_view("patient"), std::string_view("placid"),
    std::string_view("proud"),  std::string_view("quick"),  std::string_view("quiet"),   std::string_view("rapid"),
    std::string_view("ready"),  std::string_view("salty"),  std::string_view("serene"),  std::string_view("sharp"),
    std::string_view("silver"), std::string_view("steady"), std::string_view("still"),   std::string_view("sturdy"),
    std::string_view("sunny"),  std::string_view("swift"),  std::string_view("trusty"),  std::string_view("wise"),
};
constexpr std::array kNouns = {
    std::string_view("anchor"),  std::string_view("barge"),   std::string_view("beacon"),  std::string_view("bollard"),
    std::string_view("boom"),    std::string_view("bosun"),   std::string_view("bow"),     std::string_view("buoy"),
    std::string_view("cargo"),   std::string_view("clipper"), std::string_view("compass"), std::string_view("cove"),
    std::string_view("crane"),   std::string_view("cutter"),  std::string_view("deck"),    std::string_view("dinghy"),
    std::string_view("dock"),    std::string_view("ferry"),   std::string_view("galley"),  std::string_view("gull"),
    std::string_view("harbour"), std::string_view("hatch"),   std::string_view("helm"),    std::string_view("hull"),
    std::string_view("jetty"),   std::string_view("keel"),    std::string_view("ketch"),   std::string_view("lantern"),
    std::string_view("mast"),    std::string_view("mole"),    std::string_view("mooring"), std::string_view("pier"),
    std::string_view("pilot"),   std::string_view("quay"),    std::string_view("rudder"),  std::string_view("sail"),
    std::string_view("sextant"), std::string_view("sloop"),   std::string_view("tide"),    std::string_view("wharf"),
};

}  // namespace

std::string random_name(int round) {
  static std::mt19937 generator{std::random_device{}()};
  auto pick = [](const auto& words) { return words[generator() % words.size()]; };
  std::string name = fmt::format("{}_{}", pick(kAdjectives), pick(kNouns));
  if (round > 0) name += std::to_string(generator() % 1000);
  return name;
}

}  // namespace berth::engine
