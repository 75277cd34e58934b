// The way to an engine: from the flags before the verb, the environment and Docker's contexts to what can be connected.
//
// In this order: -H; --context; BERTH_HOST (not as docker), DOCKER_HOST; DOCKER_CONTEXT; the context that `context use`
// has chosen; the machine's own engine. TLS to tcp:// is wanted by --tlsverify, --tls, DOCKER_TLS_VERIFY, or by the
// context; its files are those of --tlscacert, --tlscert and --tlskey, else of DOCKER_CERT_PATH, else of ~/.docker. The
// server is always verified.
#pragma once

#include <string>

#include "http/client.h"

namespace berth::cli {

struct TlsFlags {
  bool wanted = false;
  std::string authority, certificate, key;
};

struct WayFlags {
  std::string host;
  std::string context;
  TlsFlags tls;
};

struct Way {
  std::string context = "default";
  std::string host;  // "unix:///run/berth/engine.sock", "tcp://HOST:PORT", "ssh://USER@HOST"
  http::Endpoint endpoint;
};

Result<Way> find_way(const WayFlags& flags, bool as_docker);

}  // namespace berth::cli
