// Image references: what people write, what is stored, and what is shown back.
//
//   as written          canonical                            familiar
//   debian              docker.io/library/debian             debian
//   docker://a/b:1      docker.io/a/b:1                      a/b:1
//   localhost:5000/x    localhost:5000/x                     localhost:5000/x
//
// The first component is a registry host when it has a dot, a colon or an upper-case letter, or is "localhost";
// otherwise the registry is docker.io, and a single component is below library/. Grammar and error texts are those of
// Docker's reference package (github.com/distribution/reference).
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "oci/digest.h"

namespace berth::oci {

struct Reference {
  std::string domain;  // "docker.io", "127.0.0.1:5000"
  std::string path;    // "library/debian"
  std::optional<std::string> tag;
  std::optional<Digest> digest;

  // Fails with `invalid` and Docker's text, for example "invalid reference format".
  static Result<Reference> parse(std::string_view text);

  // The same with tag "latest" when there is neither tag nor digest.
  Reference with_default_tag() const;
  // The same without tag and digest, then with these.
  Reference with_tag(std::string_view tag) const;
  Reference with_digest(Digest digest) const;

  std::string name() const;           // "docker.io/library/debian"
  std::string familiar_name() const;  // "debian"
  std::string canonical() const;      // name, ":tag", "@digest"
  std::string familiar() const;       // familiar name, ":tag", "@digest"
  // The tag or the digest: what a registry's manifest URL ends with. "latest" when there is neither.
  std::string version() const;

  friend auto operator<=>(const Reference&, const Reference&) = default;
};

bool is_tag(std::string_view text);

}  // namespace berth::oci
