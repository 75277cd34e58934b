#include "workspace/key.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace berth::workspace {

namespace {

const std::string kEd25519 = "AAAAC3NzaC1lZDI1NTE5AAAAIHZkgt1+6v0t7GXOPozxIX7VusvoBtsU2Cv+90XzV7Ja";
const std::string kRsa3072 =
    "AAAAB3NzaC1yc2EAAAADAQABAAABgQCmc8n3I67Vkbk5vvO1i4ZX4D+"
    "Tr90cRKfgUwKrSxRqN4zBrd2ukgYePJnXvwfAIk2DOPaKXC81Hsh5E0IrsbsRq1iHDWox9TPicN+m1Q+"
    "y9MxofKsYfYBYCcum7T21cBIuD1IhmZwahxKzZyWpEi8yYiABRVLHn81NE0pzg7leSIjf07thw6qZFoRBKurO6xO6pT7o7+"
    "Ok6rZ4ItkQkY75DD84W5/HavZy4uqt+Sm9JXadKtUDmobtmlJFAwZ2q9Ihq0n/yunXaevZ+eAQRHDFq+OfSPc5jEl6SOcMvXIVPisum7uay/"
    "BXuKrb4f6BkUboKUyBHqGDILh6oRF1pchzKwG6rFYTsSQAkTS3nnIU22Zm83jwSkuijqevnt6m9j+Z+"
    "5BfX9qkzhN3RJ9bNu1w8uWI6XVIksH64zaTn9OIxwQB5C07w3RP4PIH9GQSA5INvNlmVDUGXnIVJ6I3r+"
    "gFximJ2NX2ua2i7JvkWyFCePH6DmULqen0l9ZGZujCQCs=";
const std::string kRsa1024 =
    "AAAAB3NzaC1yc2EAAAADAQABAAAAgQCw9i21MyPE+xAQX+Ml/"
    "3DGZ9+y5WckEKq3gMNYlngbOg86wBXhEYrNq43mi4xG4iy6FCJQ7g34nv+"
    "QOdtGHqBywa8AHnh7Zjz22v61jtZr6THfouuynDSWXwYAJ2kowOgFolUsnj6T5nCvrjOpLzTSegcLRveUnBzaRmg0aR4IvQ==";
const std::string kNistp256 =
    "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBHl1ClbT20JeqjNhN/"
    "uAYVAVko023ijoktu+4dgAgBsFxG9OiZw22kOMd2f8mNlHbNMNNGTz3Z6IWWJVqFaEXD4=";
const std::string kNistp521 =
    "AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBACvlZHXXtVBm6V40lZhxQTUpZ81bHedzr/s19/"
    "XohPEnAyMiDDgRdDocYNajMn28z51BiTYB8V//l3S8sL1IXSfeQDBxMVofGuFimYLS4yza5McyJ3jjlbqZrU4/"
    "0CnDleUFsv95d1YAcEEPF+OW618seghHWosu2cZ6+ERD2nv/uVJww==";

std::string ed25519_line() { return "ssh-ed25519 " + kEd25519 + " joe@laptop"; }

std::string reason_of(std::string_view text) {
  auto keys = parse_keys(text);
  if (keys) return "accepted";
  EXPECT_EQ(keys.error().name(), "bad_key");
  EXPECT_FALSE(keys.error().hint().empty());
  return keys.error().error().text();
}

// A blob of length-prefixed strings (RFC 4251 section 5).
std::string blob_of(const std::vector<std::string>& fields) {
  std::string blob;
  for (const std::string& field : fields) {
    for (int shift = 24; shift >= 0; shift -= 8) blob += static_cast<char>(field.size() >> shift & 0xff);
    blob += field;
  }
  return base64_encode(blob);
}

}  // namespace

TEST(Keys, ReadsEveryTypeThatSshKeygenMakes) {
  const std::pair<std::string, std::string> cases[] = {{"ssh-ed25519", kEd25519},
                                                       {"ssh-rsa", kRsa3072},
                                                       {"ecdsa-sha2-nistp256", kNistp256},
                                                       {"ecdsa-sha2-nistp521", kNistp521}};
  for (const auto& [type, data] : cases) {
    auto keys = parse_keys(type + " " + data + " a comment");
    ASSERT_TRUE(keys) << type << ": " << keys.error().error().text();
    ASSERT_EQ(keys->size(), 1u);
    EXPECT_EQ(keys->front(), (PublicKey{type, data, "a comment"}));
  }
}

TEST(Keys, ReadsSecurityKeys) {
  std::string data = blob_of({"sk-ssh-ed25519@openssh.com", std::string(32, 'k'), "ssh:"});
  EXPECT_EQ(reason_of("sk-ssh-ed25519@openssh.com " + data), "accepted");
}

TEST(Keys, TellsTheFingerprintAsSshKeygenDoes) {
  auto keys = parse_keys(ed25519_line() + "\nssh-rsa " + kRsa3072);
  ASSERT_TRUE(keys);
  EXPECT_EQ(keys->at(0).fingerprint(), "SHA256:z4ZI+ipU/DNkvPDb2x6Zywa0EJNgkhCR4D5oxzn6bEY");
  EXPECT_EQ(keys->at(1).fingerprint(), "SHA256:8WDJAVlwNEuqmI1VnrB60MV9hU4fGgLpodo7iKfDQmE");
}

TEST(Keys, SkipsEmptyLinesCommentsAndRepetitions) {
  auto keys = parse_keys("# mine\r\n\r\n  " + ed25519_line() + "  \r\nssh-ed25519 " + kEd25519 + " again\n\n");
  ASSERT_TRUE(keys) << keys.error().error().text();
  ASSERT_EQ(keys->size(), 1u);
  EXPECT_EQ(keys->front().comment, "joe@laptop");
  EXPECT_EQ(print_keys(*keys), ed25519_line() + "\n");
}

TEST(Keys, PrintsWhatItReads) {
  auto keys = parse_keys(ed25519_line() + "\nssh-rsa " + kRsa3072 + "\n");
  ASSERT_TRUE(keys);
  auto again = parse_keys(print_keys(*keys));
  ASSERT_TRUE(again);
  EXPECT_EQ(*keys, *again);
}

TEST(Keys, RefusesOptionsBeforeTheKey) {
  for (const char* options : {"command=\"/bin/sh\"", "no-pty", "restrict,from=\"10.0.0.0/8\"", "cert-authority",
                              "environment=\"PATH=/tmp\"", "command=\"a b\",no-pty"})
    EXPECT_EQ(reason_of(std::string(options) + " " + ed25519_line()),
              "The public key in line 1 cannot be used: options before the key are not accepted.")
        << options;
}

TEST(Keys, RefusesControlCharacters) {
  using namespace std::string_literals;
  const std::string reason = "The public key in line 1 cannot be used: it holds control characters.";
  for (const std::string& bytes : {"\0"s, "\t"s, "\r"s, "\x1b[2J"s, "\x7f"s, "\v"s})
    EXPECT_EQ(reason_of(ed25519_line() + bytes + "x"), reason);
  EXPECT_EQ(reason_of("ssh-ed25519\t" + kEd25519), reason);
}

TEST(Keys, JudgesEveryLine) {
  EXPECT_EQ(reason_of(ed25519_line() + "\ncommand=\"x\" " + ed25519_line()),
            "The public key in line 2 cannot be used: options before the key are not accepted.");
}

TEST(Keys, RefusesWhatIsNoUtf8) {
  const std::string reason = "The public key in line 1 cannot be used: its comment is not UTF-8.";
  for (const char* bytes : {"\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80"})
    EXPECT_EQ(reason_of(ed25519_line() + bytes), reason);
  EXPECT_EQ(reason_of(ed25519_line() + " Zo\xc3\xab \xe2\x82\xac \xf0\x9f\x94\x91"), "accepted");
}

TEST(Keys, RefusesABlobThatIsNotTheNamedKey) {
  struct Case {
    std::string line;
    const char* reason;
  };
  const Case cases[] = {
      {"ssh-rsa " + kEd25519, "its data is not of the type that the line names"},
      {"ssh-ed25519 " + kEd25519.substr(0, 40), "it is cut off"},
      {"ssh-ed25519 AAAA", "its data is not of the type that the line names"},
      {"ssh-ed25519", "its data is not base64"},
      {"ssh-ed25519 !!!!", "its data is not base64"},
      {"ssh-ed25519 " + blob_of({"ssh-ed25519", std::string(31, 'k')}), "it has the wrong length"},
      {"ssh-ed25519 " + blob_of({"ssh-ed25519", std::string(32, 'k'), "more"}), "there is more data than a key has"},
      {"ecdsa-sha2-nistp256 " + blob_of({"ecdsa-sha2-nistp256", "nistp384", std::string(65, 'k')}),
       "it names another curve"},
      {"ssh-rsa " + kRsa1024, "an RSA key of 1024 bits is too weak"},
      {"ssh-rsa " + blob_of({"ssh-rsa", "\1", std::string(2049, '\1')}), "an RSA key of 16385 bits is too large"},
      {"ssh-rsa " + blob_of({"ssh-rsa", "\1", ""}), "an RSA key of 0 bits is too weak"},
      {"ssh-dss AAAAB3NzaC1kc3M=", "DSA keys are no longer safe"},
      {"ssh-ed25519-cert-v01@openssh.com AAAA", "it does not begin with a known key type"},
      {"hello", "it does not begin with a known key type"},
  };
  for (const Case& test : cases)
    EXPECT_EQ(reason_of(test.line), fmt::format("The public key in line 1 cannot be used: {}.", test.reason))
        << test.line;
}

TEST(Keys, RefusesLengthsThatRunOverTheEnd) {
  EXPECT_NE(reason_of("ssh-ed25519 " + base64_encode("\xff\xff\xff\xffssh-ed25519")), "accepted");
}

TEST(Keys, RefusesAPrivateKey) {
  EXPECT_EQ(reason_of("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz\n-----END OPENSSH PRIVATE KEY-----\n"),
            "The public key cannot be used: this is a private key, which should never leave your machine.");
}

TEST(Keys, RefusesNoneTooManyAndTooMuch) {
  EXPECT_EQ(reason_of(""), "The public key cannot be used: there is none.");
  EXPECT_EQ(reason_of("# only a remark\n\n"), "The public key cannot be used: there is none.");
  EXPECT_EQ(reason_of(std::string(kMaxKeyBytes + 1, ' ')), "The public key cannot be used: the text is too long.");
  std::string many;
  for (std::size_t i = 0; i <= kMaxKeys; ++i)
    many += "ssh-ed25519 " + blob_of({"ssh-ed25519", std::string(32, static_cast<char>('0' + i))}) + "\n";
  EXPECT_EQ(reason_of(many), "The public key in line 65 cannot be used: more than 64 keys.");
}

TEST(Keys, BelongTogetherOnlyWhenAllAreKnown) {
  auto mine = parse_keys(ed25519_line() + "\nssh-rsa " + kRsa3072);
  auto same = parse_keys("ssh-ed25519 " + kEd25519 + " elsewhere");
  auto mixed = parse_keys("ssh-ed25519 " + kEd25519 + "\necdsa-sha2-nistp256 " + kNistp256);
  ASSERT_TRUE(mine && same && mixed);
  EXPECT_TRUE(all_among(*same, *mine));
  EXPECT_TRUE(all_among(*mine, *mine));
  EXPECT_FALSE(all_among(*mine, *same));
  EXPECT_FALSE(all_among(*mixed, *mine));
}

}  // namespace berth::workspace
