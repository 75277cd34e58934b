// The body of POST /containers/create as the engine's CreateRequest. What Docker's API knows and this engine does not
// do is refused by name when it is set; the defaults that clients send for "not set" are accepted.
//
// Beside Docker's fields the body may have "Berth":
//   {"Activations": [{"Name": "ssh", "Listen": "0.0.0.0:2010", "MaxConnections": 64,
//                     "Exec": {"Cmd": ["/x"], "Env": [], "User": "", "WorkingDir": ""}}],
//    "IdleTimeout": 600, "GuestTools": true}
// IdleTimeout is in seconds. Pure; all errors are `invalid`.
#pragma once

#include <string>

#include "base/json.h"
#include "engine/spec.h"

namespace berth::docker {

// name: the query's, without a leading slash; may be empty.
Result<engine::CreateRequest> decode_create_request(const json::Value& body, std::string name);

}  // namespace berth::docker
