// The words that an engine and a shim exchange: field encoding, verbs and limits (docs/design/shim.md says what each
// verb does). Constants and inline helpers only, so that both sides include this one file.
//
// A configuration file and a datagram are NUL-terminated fields, "key=value\0key=value\0"; the first field of a
// datagram is its verb alone. Thread: pure. Lifetime: every view points into the message that was given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace berth::shim {

// The shim's first control connection, one end of a SOCK_SEQPACKET pair.
inline constexpr int kControlFd = 3;
// The OCI runtime in sealed memory; there when the second argument is kSealedRuntime.
inline constexpr int kRuntimeFd = 4;
inline constexpr std::string_view kSealedRuntime = "sealed-runtime";
inline constexpr std::size_t kMaxDatagram = 32 << 10;
// stdin, stdout and stderr of a direct exec.
inline constexpr std::size_t kMaxDatagramFds = 3;
inline constexpr std::size_t kMaxExecId = 128;

// In config.template.json, the paths of the namespaces that the shim has made.
inline constexpr std::string_view kUsernsToken = "@USERNS@";
inline constexpr std::string_view kNetnsToken = "@NETNS@";
inline constexpr std::string_view kPidnsToken = "@PIDNS@";
inline constexpr std::string_view kIpcnsToken = "@IPCNS@";

namespace verb {
inline constexpr std::string_view kStart = "start";
inline constexpr std::string_view kNetworkReady = "network-ready";
inline constexpr std::string_view kAttach = "attach";
inline constexpr std::string_view kResize = "resize";
inline constexpr std::string_view kCloseStdin = "close-stdin";
inline constexpr std::string_view kSignal = "signal";
inline constexpr std::string_view kStatus = "status";
inline constexpr std::string_view kExec = "exec";
inline constexpr std::string_view kShutdown = "shutdown";
inline constexpr std::string_view kOk = "ok";
inline constexpr std::string_view kError = "error";
}  // namespace verb

namespace event {
inline constexpr std::string_view kNetns = "netns";
inline constexpr std::string_view kExit = "exit";
inline constexpr std::string_view kExecExit = "exec-exit";
inline constexpr std::string_view kDetach = "detach";
}  // namespace event

// What Docker puts before each piece of output of a container without a terminal: stream, three zeros, length.
inline constexpr std::size_t kFrameHeaderSize = 8;

struct Field {
  std::string_view key;    // the whole field where there is no '='
  std::string_view value;  // always followed by a NUL
  bool has_value = false;
};

// Takes the first field off rest. False when none is left or the last one lacks its NUL.
inline bool take_field(std::string_view& rest, Field& field) {
  const std::size_t end = rest.find('\0');
  if (end == std::string_view::npos) return false;
  const std::string_view text = rest.substr(0, end);
  const std::size_t equals = text.find('=');
  field.has_value = equals != std::string_view::npos;
  field.key = text.substr(0, equals);
  field.value = field.has_value ? text.substr(equals + 1) : text.substr(text.size());
  rest.remove_prefix(end + 1);
  return true;
}

// The first value of key; data() is nullptr when there is none.
inline std::string_view find_value(std::string_view message, std::string_view key) {
  for (Field field; take_field(message, field);) {
    if (field.has_value && field.key == key) return field.value;
  }
  return {};
}

// Decimal digits only; fallback for anything else, nothing included.
inline std::uint64_t to_number(std::string_view text, std::uint64_t fallback = 0) {
  if (text.empty() || text.size() > 19) return fallback;
  std::uint64_t number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return fallback;
    number = number * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return number;
}

inline bool is_exec_id(std::string_view id) {
  if (id.empty() || id.size() > kMaxExecId || id[0] == '.') return false;
  for (const char c : id) {
    const bool good =
        (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-' || c == '.';
    if (!good) return false;
  }
  return true;
}

}  // namespace berth::shim
