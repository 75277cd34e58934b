// SSH public keys as people paste them: the lines of an id_*.pub or authorized_keys file.
//
// A line becomes part of the file that sshd reads, so nothing passes that could mean more than one key: no options, no
// control characters, and a blob that is exactly one well-formed key of the type that the line names (RFC 4253 section
// 6.6, RFC 5656, RFC 8709, OpenSSH's PROTOCOL.u2f).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "workspace/problem.h"

namespace berth::workspace {

struct PublicKey {
  std::string type;     // "ssh-ed25519"
  std::string base64;   // the blob in the standard alphabet, padded
  std::string comment;  // printable; may be empty
  friend bool operator==(const PublicKey&, const PublicKey&) = default;

  // "ssh-ed25519 AAAA... comment"
  std::string line() const;
  // "SHA256:..." as ssh-keygen -l shows it.
  std::string fingerprint() const;
  // Whether both are the same key; comments do not count.
  bool same_as(const PublicKey& other) const { return type == other.type && base64 == other.base64; }
};

inline constexpr std::size_t kMaxKeys = 64;
inline constexpr std::size_t kMaxKeyBytes = 32 << 10;  // of the whole text

// One key a line; empty lines and lines that begin with '#' are skipped, a key that is there twice counts once. At
// least one key is needed. Anything doubtful is bad_key, with the line's number and the reason.
Outcome<std::vector<PublicKey>> parse_keys(std::string_view text);

// The keys as lines, each ended by a newline.
std::string print_keys(const std::vector<PublicKey>& keys);

// Whether every key is one of theirs. One common key would not do: public keys are public, so whoever knows the owner's
// could name it beside an own one.
bool all_among(const std::vector<PublicKey>& keys, const std::vector<PublicKey>& theirs);

}  // namespace berth::workspace
