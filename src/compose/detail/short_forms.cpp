#include "compose/detail/short_forms.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/text.h"
#include "compose/words.h"

namespace berth::compose {

namespace {

Node copy_mark(Node node, const Node& from) {
  node.mark = from.mark;
  node.tag = from.tag;
  return node;
}

std::string resolved(std::string_view path, const Place& place) {
  std::string text(path);
  if (text == "~" || text.starts_with("~/")) {
    const char* home = std::getenv("HOME");
    text = (home == nullptr ? "" : home) + text.substr(1);
  }
  auto whole = std::filesystem::path(place.walk.directory) / text;
  std::string normal = whole.lexically_normal().string();
  while (normal.size() > 1 && normal.ends_with('/')) normal.pop_back();
  return normal;
}

bool is_url(std::string_view text) {
  for (std::string_view prefix : {"http://", "https://", "git://", "git@", "ssh://", "github.com/", "docker-image://",
                                  "service:", "target:", "oci-layout://"})
    if (text.starts_with(prefix)) return true;
  return false;
}

bool is_host_path(std::string_view text) {
  return text.starts_with('/') || text.starts_with('.') || text.starts_with('~');
}

struct Range {
  unsigned first = 0, last = 0;
  unsigned size() const { return last - first + 1; }
};

std::optional<Range> parse_range(std::string_view text) {
  auto [first_text, last_text] = split_once(text, '-');
  auto first = parse_number<std::uint16_t>(first_text);
  auto last = parse_number<std::uint16_t>(last_text.value_or(first_text));
  if (!first || !last || *first > *last) return {};
  return Range{*first, *last};
}

Result<void> count_ports(const Range& range, const Node& item, const Place& place) {
  if (range.size() > place.walk.ports_left) return fail_at(item.mark, "{}: too many ports", place.path);
  place.walk.ports_left -= range.size();
  return {};
}

// "[IP:][HOST:]INSIDE[/PROTO]" as port objects, one for each number of a range.
Result<void> add_ports(Node& list, const Node& item, const Place& place) {
  auto bad = [&] { return fail_at(item.mark, "{}: invalid port \"{}\"", place.path, item.text); };
  auto [address, protocol] = split_once(item.text, '/');
  std::size_t colon = address.rfind(':');
  std::string_view inside = colon == std::string_view::npos ? address : address.substr(colon + 1);
  std::string_view before = colon == std::string_view::npos ? std::string_view() : address.substr(0, colon);
  colon = before.rfind(':');
  if (before.ends_with(']')) colon = before.size();
  std::string_view outside = before.substr(colon == std::string_view::npos ? 0 : std::min(colon + 1, before.size()));
  std::string ip(before.substr(0, colon == std::string_view::npos ? 0 : colon));
  if (ip.starts_with('[') && ip.ends_with(']')) ip = ip.substr(1, ip.size() - 2);
  auto inner = parse_range(inside);
  if (!inner) return bad();
  TRY_OK(count_ports(*inner, item, place));
  std::optional<Range> outer;
  if (!outside.empty()) {
    outer = parse_range(outside);
    // One port inside may be given any of several outside; otherwise they pair up.
    if (!outer || (outer->size() != inner->size() && inner->size() != 1)) return bad();
  }
  for (unsigned port = inner->first; port <= inner->last; ++port) {
    Node entry = Node::make_map(item.mark);
    entry.set("mode", Node::make_text("ingress", item.mark));
    if (!ip.empty()) entry.set("host_ip", Node::make_text(ip, item.mark));
    entry.set("target", Node::make_integer(port, item.mark));
    if (outer && outer->size() == inner->size())
      entry.set("published", Node::make_text(std::to_string(outer->first + port - inner->first), item.mark));
    else if (outer)
      entry.set("published", Node::make_text(std::string(outside), item.mark));
    entry.set("protocol", Node::make_text(to_lower(protocol.value_or("tcp")), item.mark));
    list.items.push_back(std::move(entry));
  }
  return {};
}

Result<void> set_volume_option(Node& entry, const std::string& option, const Node& item, const Place& place) {
  static constexpr std::string_view kPropagations[] = {"private", "rprivate", "shared", "rshared", "slave", "rslave"};
  Node yes = Node::make_boolean(true, item.mark);
  auto group = [&](std::string_view name) -> Node& {
    Node* found = entry.find(name);
    return found != nullptr ? *found : entry.set(name, Node::make_map(item.mark));
  };
  if (option == "ro") {
    entry.set("read_only", yes);
  } else if (option == "nocopy") {
    group("volume").set("nocopy", yes);
  } else if (option == "z" || option == "Z") {
    group("bind").set("selinux", Node::make_text(option, item.mark));
  } else if (std::ranges::find(kPropagations, option) != std::end(kPropagations)) {
    group("bind").set("propagation", Node::make_text(option, item.mark));
  } else if (option != "rw") {
    return fail_at(item.mark, "{}: unknown volume option \"{}\"", place.path, option);
  }
  return {};
}

}  // namespace

Result<Node> one_as_list(Node node, const Place&) {
  if (!node.is_scalar()) return node;
  Node list = copy_mark(Node::make_list(), node);
  node.tag = Node::Tag::none;
  list.items.push_back(std::move(node));
  return list;
}

Result<Node> command_words(Node node, const Place& place) {
  if (!node.is_text()) return node;
  auto words = split_words(node.text);
  if (!words) return fail_at(node.mark, "{}: {}", place.path, words.error().text());
  Node list = copy_mark(Node::make_list(), node);
  for (std::string& word : *words) list.items.push_back(Node::make_text(std::move(word), node.mark));
  return list;
}

Result<Node> health_test(Node node, const Place& place) {
  if (node.is_text()) {
    Node list = copy_mark(Node::make_list(), node);
    list.items = {Node::make_text("CMD-SHELL", node.mark), Node::make_text(node.text, node.mark)};
    return list;
  }
  if (!node.is_list() || node.items.empty()) return node;
  const std::string& first = node.items[0].text;
  if (first != "NONE" && first != "CMD" && first != "CMD-SHELL")
    return fail_at(node.mark, "{}: the first word of a list must be NONE, CMD or CMD-SHELL", place.path);
  return node;
}

Result<Node> pairs_as_map(Node node, const Place& place) {
  if (!node.is_list()) return node;
  Node map = copy_mark(Node::make_map(), node);
  for (const Node& item : node.items) {
    if (!item.is_scalar()) return fail_at(item.mark, "{}: must be a mapping, or a list of KEY=VALUE", place.path);
    auto [key, value] = split_once(item.text, '=');
    Node pair;
    pair.mark = item.mark;
    map.set(key, value ? Node::make_text(std::string(*value), item.mark) : pair);
  }
  return map;
}

Result<Node> names_as_map(Node node, const Place& place) {
  if (!node.is_list()) return node;
  Node map = copy_mark(Node::make_map(), node);
  for (const Node& item : node.items) {
    if (!item.is_scalar()) return fail_at(item.mark, "{}: must be a mapping, or a list of names", place.path);
    Node empty;
    empty.mark = item.mark;
    map.set(item.text, empty);
  }
  return map;
}

Result<Node> dependencies(Node node, const Place& place) {
  TRY(Node map, names_as_map(std::move(node), place));
  for (Member& member : map.members) {
    Node& value = member.value;
    if (value.is_null()) value = Node::make_map(member.mark);
    if (!value.is_map()) continue;
    if (value.find("condition") == nullptr) value.set("condition", Node::make_text("service_started", member.mark));
    if (value.find("required") == nullptr) value.set("required", Node::make_boolean(true, member.mark));
  }
  return map;
}

Result<Node> host_entries(Node node, const Place& place) {
  Node list = copy_mark(Node::make_list(), node);
  auto add = [&](std::string_view host, std::string_view address, const Mark& mark) {
    if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
    list.items.push_back(Node::make_text(fmt::format("{}={}", trim(host), trim(address)), mark));
  };
  if (node.is_map()) {
    for (const Member& member : node.members) {
      if (member.value.is_scalar()) add(member.key, member.value.text, member.mark);
      for (const Node& address : member.value.items) add(member.key, address.text, address.mark);
    }
    return list;
  }
  if (!node.is_list()) return node;
  for (const Node& item : node.items) {
    std::size_t cut = item.text.find_first_of("=:");
    if (!item.is_scalar() || cut == std::string::npos || cut == 0)
      return fail_at(item.mark, "{}: bad host entry \"{}\": it is HOST=ADDRESS", place.path, item.text);
    add(item.text.substr(0, cut), item.text.substr(cut + 1), item.mark);
  }
  return list;
}

Result<Node> port_list(Node node, const Place& place) {
  if (!node.is_list()) return node;
  Node list = copy_mark(Node::make_list(), node);
  for (Node& item : node.items) {
    if (item.is_scalar()) {
      TRY_OK(add_ports(list, item, place));
      continue;
    }
    if (item.is_map()) {
      if (item.find("mode") == nullptr) item.set("mode", Node::make_text("ingress", item.mark));
      if (item.find("protocol") == nullptr) item.set("protocol", Node::make_text("tcp", item.mark));
      if (item.find("target") == nullptr) return fail_at(item.mark, "{}: target is missing", place.path);
    }
    list.items.push_back(std::move(item));
  }
  return list;
}

Result<Node> expose_list(Node node, const Place& place) {
  for (const Node& item : node.items) {
    auto [ports, protocol] = split_once(item.text, '/');
    auto range = parse_range(ports);
    if (!item.is_scalar() || !range || (protocol && *protocol != "tcp" && *protocol != "udp" && *protocol != "sctp"))
      return fail_at(item.mark, "{}: invalid port \"{}\"", place.path, item.text);
    TRY_OK(count_ports(*range, item, place));
  }
  return node;
}

Result<Node> volume_entry(Node node, const Place& place) {
  if (node.is_map()) {
    if (node.text_of("type") == "bind")
      if (Node* source = node.find("source"); source != nullptr && source->is_scalar())
        source->text = resolved(source->text, place);
    return node;
  }
  if (!node.is_scalar()) return node;
  std::vector<std::string> parts = split(node.text, ':');
  if (parts.size() > 3 || std::ranges::any_of(parts, [](const std::string& part) { return part.empty(); }))
    return fail_at(node.mark, "{}: invalid volume \"{}\": it is [SOURCE:]TARGET[:OPTIONS]", place.path, node.text);
  Node entry = copy_mark(Node::make_map(), node);
  auto text = [&](std::string value) { return Node::make_text(std::move(value), node.mark); };
  bool bind = parts.size() > 1 && is_host_path(parts[0]);
  entry.set("type", text(bind ? "bind" : "volume"));
  if (parts.size() > 1) entry.set("source", text(bind ? resolved(parts[0], place) : parts[0]));
  entry.set("target", text(parts.size() > 1 ? parts[1] : parts[0]));
  if (bind) {
    Node options = Node::make_map(node.mark);
    options.set("create_host_path", Node::make_boolean(true, node.mark));
    entry.set("bind", std::move(options));
  }
  if (parts.size() == 3)
    for (const std::string& option : split(parts[2], ',')) TRY_OK(set_volume_option(entry, option, node, place));
  return entry;
}

Result<Node> device_entry(Node node, const Place& place) {
  if (!node.is_scalar()) return node;
  std::vector<std::string> parts = split(node.text, ':');
  if (parts.size() > 3) return fail_at(node.mark, "{}: invalid device \"{}\"", place.path, node.text);
  Node entry = copy_mark(Node::make_map(), node);
  auto text = [&](const std::string& value) { return Node::make_text(value, node.mark); };
  bool second_is_permissions = parts.size() == 2 && parts[1].find_first_not_of("rwm") == std::string::npos;
  entry.set("source", text(parts[0]));
  entry.set("target", text(parts.size() > 1 && !second_is_permissions ? parts[1] : parts[0]));
  std::string permissions = parts.size() == 3 ? parts[2] : "rwm";
  entry.set("permissions", text(second_is_permissions ? parts[1] : permissions));
  return entry;
}

Result<Node> file_reference(Node node, const Place&) {
  if (!node.is_scalar()) return node;
  Node entry = copy_mark(Node::make_map(), node);
  entry.set("source", Node::make_text(node.text, node.mark));
  return entry;
}

Result<Node> text_as_context(Node node, const Place&) {
  if (!node.is_scalar()) return node;
  Node entry = copy_mark(Node::make_map(), node);
  entry.set("context", Node::make_text(node.text, node.mark));
  return entry;
}

Result<Node> text_as_service(Node node, const Place&) {
  if (!node.is_scalar()) return node;
  Node entry = copy_mark(Node::make_map(), node);
  entry.set("service", Node::make_text(node.text, node.mark));
  return entry;
}

Result<Node> env_file_list(Node node, const Place& place) {
  TRY(Node list, one_as_list(std::move(node), place));
  for (Node& item : list.items) {
    if (item.is_scalar()) {
      Node entry = Node::make_map(item.mark);
      entry.set("path", Node::make_text(item.text, item.mark));
      item = std::move(entry);
    }
    if (item.is_map() && item.find("required") == nullptr) item.set("required", Node::make_boolean(true, item.mark));
  }
  return list;
}

Result<Node> include_entry(Node node, const Place&) {
  if (!node.is_scalar()) return node;
  Node entry = copy_mark(Node::make_map(), node);
  entry.set("path", Node::make_text(node.text, node.mark));
  return entry;
}

Result<Node> ulimit(Node node, const Place& place) {
  if (node.is_map()) {
    if (node.find("soft") == nullptr || node.find("hard") == nullptr)
      return fail_at(node.mark, "{}: soft and hard are both needed", place.path);
    return node;
  }
  if (!node.is_scalar()) return node;
  Node entry = copy_mark(Node::make_map(), node);
  node.tag = Node::Tag::none;
  entry.set("soft", node);
  entry.set("hard", node);
  return entry;
}

Result<Node> external(Node node, const Place&) {
  Node* value = node.is_map() ? node.find("external") : nullptr;
  if (value == nullptr || !value->is_map()) return node;
  if (const Node* name = value->find("name")) node.set("name", *name);
  node.set("external", Node::make_boolean(true, node.mark));
  return node;
}

Result<Node> gpu_list(Node node, const Place&) {
  if (!node.is_text() || node.text != "all") return node;
  Node list = copy_mark(Node::make_list(), node);
  Node entry = Node::make_map(node.mark);
  entry.set("count", Node::make_integer(-1, node.mark));
  list.items.push_back(std::move(entry));
  return list;
}

Result<Node> device_count(Node node, const Place&) {
  return node.is_text() && node.text == "all" ? Node::make_integer(-1, node.mark) : node;
}

Result<Node> absolute_path(Node node, const Place& place) {
  if (node.is_text() && !is_url(node.text)) node.text = resolved(node.text, place);
  return node;
}

std::string port_identity(const Node& port) {
  return fmt::format("{}:{}:{}/{}", port.text_of("host_ip"), port.text_of("published"), port.text_of("target"),
                     port.text_of("protocol"));
}

std::string target_identity(const Node& mount) {
  std::string target = mount.text_of("target");
  return target.empty() ? mount.text_of("source") : target;
}

}  // namespace berth::compose
