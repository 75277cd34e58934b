// The short forms of a Compose file written out: each takes a node in any form that the specification allows and gives
// the long one, or the node untouched when it is something else, which the check of forms then refuses.
#pragma once

#include "compose/detail/shape.h"

namespace berth::compose {

Result<Node> one_as_list(Node node, const Place& place);      // "a" -> [a]
Result<Node> command_words(Node node, const Place& place);    // "sh -c 'a b'" -> [sh, -c, a b]
Result<Node> health_test(Node node, const Place& place);      // "x" -> [CMD-SHELL, x]
Result<Node> pairs_as_map(Node node, const Place& place);     // ["A=b", "C"] -> {A: b, C: null}
Result<Node> names_as_map(Node node, const Place& place);     // [a, b] -> {a: null, b: null}
Result<Node> dependencies(Node node, const Place& place);     // [a] -> {a: {condition: service_started, ...}}
Result<Node> host_entries(Node node, const Place& place);     // {h: ip}, "h:ip" -> ["h=ip"]
Result<Node> port_list(Node node, const Place& place);        // "8000-8001:80-81/udp" -> two objects
Result<Node> expose_list(Node node, const Place& place);      // "80-82/udp", checked
Result<Node> volume_entry(Node node, const Place& place);     // "./a:/b:ro" -> an object
Result<Node> device_entry(Node node, const Place& place);     // "/dev/a:/dev/b:rw" -> an object
Result<Node> file_reference(Node node, const Place& place);   // a service's config or secret: "a" -> {source: a}
Result<Node> text_as_context(Node node, const Place& place);  // build: "." -> {context: .}
Result<Node> text_as_service(Node node, const Place& place);  // extends: "a" -> {service: a}
Result<Node> env_file_list(Node node, const Place& place);    // "a.env" -> [{path: a.env, required: true}]
Result<Node> include_entry(Node node, const Place& place);    // "a.yaml" -> {path: [a.yaml]}
Result<Node> ulimit(Node node, const Place& place);           // 1024 -> {soft: 1024, hard: 1024}
Result<Node> external(Node node, const Place& place);         // external: {name: x} -> true, with name: x
Result<Node> gpu_list(Node node, const Place& place);         // "all" -> [{count: -1}]
Result<Node> device_count(Node node, const Place& place);     // "all" -> -1
Result<Node> absolute_path(Node node, const Place& place);    // relative to the file's directory, ~ for home

std::string port_identity(const Node& port);
std::string target_identity(const Node& mount);  // its target, or its source

}  // namespace berth::compose
