#include "oci/reference.h"

#include <gtest/gtest.h>

namespace berth::oci {
namespace {

const std::string kDigest = "sha256:" + std::string(64, 'a');

struct Case {
  std::string written, canonical, familiar;
};

TEST(Reference, TakesWhatPeopleWrite) {
  const Case cases[] = {
      {"debian", "docker.io/library/debian", "debian"},
      {"debian:bookworm", "docker.io/library/debian:bookworm", "debian:bookworm"},
      {"docker://debian:12", "docker.io/library/debian:12", "debian:12"},
      {"library/debian", "docker.io/library/debian", "debian"},
      {"docker.io/debian", "docker.io/library/debian", "debian"},
      {"index.docker.io/debian", "docker.io/library/debian", "debian"},
      {"docker.io/library/debian:x", "docker.io/library/debian:x", "debian:x"},
      {"joe/tool", "docker.io/joe/tool", "joe/tool"},
      {"a/b/c", "docker.io/a/b/c", "a/b/c"},
      {"docker://joe/tool:v1", "docker.io/joe/tool:v1", "joe/tool:v1"},
      {"localhost/x", "localhost/x", "localhost/x"},
      {"localhost:5000/x", "localhost:5000/x", "localhost:5000/x"},
      {"localhost:5000/x:1", "localhost:5000/x:1", "localhost:5000/x:1"},
      {"127.0.0.1:5000/library/x", "127.0.0.1:5000/library/x", "127.0.0.1:5000/library/x"},
      {"10.0.0.1/x", "10.0.0.1/x", "10.0.0.1/x"},
      {"[::1]:5000/x:y", "[::1]:5000/x:y", "[::1]:5000/x:y"},
      {"[fe80::1]/x", "[fe80::1]/x", "[fe80::1]/x"},
      {"quay.io/org/app", "quay.io/org/app", "quay.io/org/app"},
      {"quay.io/org/app:2.0-rc_1.x", "quay.io/org/app:2.0-rc_1.x", "quay.io/org/app:2.0-rc_1.x"},
      {"host:80/a/b:c", "host:80/a/b:c", "host:80/a/b:c"},
      {"UPPER/x", "UPPER/x", "UPPER/x"},
      {"Example.Com/x", "Example.Com/x", "Example.Com/x"},
      {"a-b.c_d__e---f", "docker.io/library/a-b.c_d__e---f", "a-b.c_d__e---f"},
      {"debian@" + kDigest, "docker.io/library/debian@" + kDigest, "debian@" + kDigest},
      {"debian:12@" + kDigest, "docker.io/library/debian:12@" + kDigest, "debian:12@" + kDigest},
      {"localhost:5000/x@" + kDigest, "localhost:5000/x@" + kDigest, "localhost:5000/x@" + kDigest},
      {"x:" + std::string(128, 't'), "docker.io/library/x:" + std::string(128, 't'), "x:" + std::string(128, 't')},
      {"0", "docker.io/library/0", "0"},
      {"docker.io/a.b/c", "docker.io/a.b/c", "docker.io/a.b/c"},
      {"library/a.b/c", "docker.io/library/a.b/c", "docker.io/library/a.b/c"},
      {"foo:5000", "docker.io/library/foo:5000", "foo:5000"},
      {std::string(63, 'a'), "docker.io/library/" + std::string(63, 'a'), std::string(63, 'a')},
  };
  for (const Case& c : cases) {
    auto reference = Reference::parse(c.written);
    ASSERT_TRUE(reference) << c.written << ": " << reference.error().text();
    EXPECT_EQ(reference->canonical(), c.canonical) << c.written;
    EXPECT_EQ(reference->familiar(), c.familiar) << c.written;
    auto again = Reference::parse(reference->canonical());
    ASSERT_TRUE(again) << c.written;
    EXPECT_EQ(*again, *reference) << c.written;
  }
}

TEST(Reference, RefusesWithDockersTexts) {
  const std::string bad = "invalid reference format";
  const std::pair<std::string, std::string> cases[] = {
      {"", bad},
      {"Name", "invalid reference format: repository name (library/Name) must be lowercase"},
      {"a/Name:x", "invalid reference format: repository name (a/Name) must be lowercase"},
      {"localhost:5000/X", "invalid reference format: repository name (X) must be lowercase"},
      {std::string(64, 'a'),
       "invalid repository name (" + std::string(64, 'a') + "), cannot specify 64-byte hexadecimal strings"},
      {"a//b", bad},
      {"/a", bad},
      {"a/", bad},
      {"-a", bad},
      {"a-", bad},
      {"a..b", bad},
      {"a___b", bad},
      {"a._b", bad},
      {"a:", bad},
      {"a:-t", bad},
      {"a:.t", bad},
      {"a:b:c", bad},
      {"a:" + std::string(129, 't'), bad},
      {"a@sha256:12", bad},
      {"a@", bad},
      {"a b", bad},
      {"a\nb", bad},
      {std::string("a\0b", 3), bad},
      {"../etc", bad},
      {"a/../b", bad},
      {"host:port/x", bad},
      {"host:/x", bad},
      {"-host.com/x", bad},
      {"ho..st/x", bad},
      {"[::g]/x", bad},
      {"http://host/x", bad},
      {"caf\xc3\xa9", bad},
      {"a.b/" + std::string(255, 'n'), "repository name must not be more than 255 characters"},
  };
  for (const auto& [written, text] : cases) {
    auto reference = Reference::parse(written);
    ASSERT_FALSE(reference) << written;
    EXPECT_EQ(reference.error().code(), ErrorCode::invalid);
    EXPECT_EQ(reference.error().text(), text) << written;
  }
}

TEST(Reference, ChangesItsVersion) {
  Reference debian = *Reference::parse("debian");
  EXPECT_EQ(debian.with_default_tag().familiar(), "debian:latest");
  EXPECT_EQ(debian.with_tag("12").with_default_tag().familiar(), "debian:12");
  EXPECT_EQ(debian.with_tag("12").with_digest(*Digest::parse(kDigest)).familiar(), "debian@" + kDigest);
  EXPECT_EQ(debian.version(), "latest");
  EXPECT_EQ(Reference::parse("debian:12@" + kDigest)->version(), kDigest);
}

TEST(Digest, TakesOnlyWholeLowerCaseDigests) {
  EXPECT_EQ(Digest::parse(kDigest)->short_hex(), "aaaaaaaaaaaa");
  for (const std::string& text :
       {std::string("sha256"), "sha256:" + std::string(63, 'a'), "sha256:" + std::string(64, 'A'),
        "md5:" + std::string(32, 'a'), "sha256:" + std::string(64, '/'), std::string()})
    EXPECT_FALSE(Digest::parse(text)) << text;
  EXPECT_FALSE(Digest::parse("sha512:" + std::string(128, 'b'))->is_sha256());
  EXPECT_TRUE(Digest().empty());
  EXPECT_EQ(Digest().hex(), "");
}

}  // namespace
}  // namespace berth::oci
