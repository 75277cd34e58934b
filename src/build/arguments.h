// The values of ARG: what the build was given, what was declared before the first FROM, what a stage has declared.
//
// As the Dockerfile reference says under "ARG": a stage sees only what it declares, given values win over defaults, ENV
// wins over both, and the proxy variables need no declaration. Pure.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "build/words.h"
#include "oci/image_config.h"

namespace berth::build {

class Arguments {
 public:
  // given: NAME to its value, or to nothing for one that is named without a value. host and target are what
  // BUILDPLATFORM and TARGETPLATFORM tell.
  Arguments(std::map<std::string, std::optional<std::string>> given, const oci::Platform& host,
            const oci::Platform& target);

  // ARG before the first FROM; and what FROM lines see.
  void declare_global(const std::string& name, std::optional<std::string> fallback);
  std::optional<std::string> global(std::string_view name) const;

  // A new stage has declared nothing.
  void begin_stage() { stage_.clear(); }
  void declare(const std::string& name, std::optional<std::string> fallback);
  // What a step of the stage sees: the configuration's env, then its arguments.
  std::optional<std::string> find(std::string_view name, const std::vector<std::string>& env) const;
  // "K=V" of the declared ones that have a value and that env does not hold; sorted.
  std::vector<std::string> declared(const std::vector<std::string>& env) const;
  // The same and the proxies: what RUN gets.
  std::vector<std::string> for_run(const std::vector<std::string>& env) const;
  // Given, and asked for by nobody.
  std::vector<std::string> unused() const;

 private:
  std::map<std::string, std::optional<std::string>> given_;
  std::map<std::string, std::optional<std::string>, std::less<>> global_;
  std::map<std::string, std::optional<std::string>, std::less<>> stage_;
  std::map<std::string, std::string> platform_;
  std::set<std::string> used_;
};

}  // namespace berth::build
