// network ls, create, rm, connect, disconnect. network inspect is in inspect.cpp.
#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "cli/output.h"
#include "cli/verbs.h"

namespace berth::cli {

namespace {

json::Object pairs(const std::vector<std::string>& items) {
  json::Object object;
  for (const std::string& item : items) {
    auto [key, value] = split_once(item, '=');
    object[key] = value.value_or("");
  }
  return object;
}

struct NetworkListOptions : ListOptions {
  std::vector<std::string> filters;
};

void declare_list(Flags& flags, NetworkListOptions& options) {
  add_filter_flag(flags, "filter,f", options.filters);
  add_list_flags(flags, options);
}

Result<int> list_networks(Context& context, const NetworkListOptions& options, const Words&) {
  TRY(auto engine, context.engine());
  TRY(json::Value networks, engine.get("/networks" + query({{"filters", encode_filters(options.filters)}})));
  Listing listing("*network.networkContext", options.quiet ? "{{.ID}}" : "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}",
                  {{"ID", "NETWORK ID"},
                   {"Name", "NAME"},
                   {"Driver", "DRIVER"},
                   {"Scope", "SCOPE"},
                   {"IPv4", "IPV4"},
                   {"IPv6", "IPV6"},
                   {"Internal", "INTERNAL"},
                   {"Labels", "LABELS"},
                   {"CreatedAt", "CREATED AT"}});
  auto truth = [](bool value) { return value ? "true" : "false"; };
  if (networks.is_array()) {
    std::vector<const json::Value*> sorted;
    for (const json::Value& network : networks.get_array()) sorted.push_back(&network);
    std::ranges::sort(sorted, {}, [](const json::Value* network) { return json::string_or(*network, "Name"); });
    for (const json::Value* network : sorted) {
      const json::Value* labels = json::find(*network, "Labels");
      auto created = parse_rfc3339(json::string_or(*network, "Created"));
      listing.add({{"ID", short_id(json::string_or(*network, "Id"), options.no_trunc)},
                   {"Name", json::string_or(*network, "Name")},
                   {"Driver", json::string_or(*network, "Driver")},
                   {"Scope", json::string_or(*network, "Scope")},
                   {"IPv4", truth(json::bool_or(*network, "EnableIPv4"))},
                   {"IPv6", truth(json::bool_or(*network, "EnableIPv6"))},
                   {"Internal", truth(json::bool_or(*network, "Internal"))},
                   {"Labels", join_labels(labels)},
                   {"CreatedAt", created ? local_time(*created, true) : ""}},
                  labels == nullptr ? json::Value() : *labels);
    }
  }
  TRY(std::string text, listing.render(options));
  TRY_OK(print_out(text));
  return 0;
}

struct CreateOptions {
  std::string driver = "bridge", ipam_driver = "default", scope;
  std::vector<std::string> subnets, gateways, ranges, reserved, labels, options, ipam_options;
  bool internal = false, ipv4 = true, ipv6 = false, attachable = false;
};

void declare_create(Flags& flags, CreateOptions& options) {
  flags.add("driver,d", options.driver, "The network's driver").defaults_to("\"bridge\"");
  flags.add("subnet", options.subnets, "Its subnet: 10.1.0.0/24");
  flags.add("gateway", options.gateways, "The gateway of the subnet");
  flags.add("ip-range", options.ranges, "Give containers addresses from this part of the subnet");
  flags.add("aux-address", options.reserved, "An address of the subnet that is not given out: NAME=ADDRESS");
  flags.add("label", options.labels, "Set a label: KEY=VALUE");
  flags.add("opt,o", options.options, "An option of the driver: KEY=VALUE");
  flags.add("ipam-driver", options.ipam_driver, "Who gives out addresses").defaults_to("\"default\"");
  flags.add("ipam-opt", options.ipam_options, "An option of who gives out addresses: KEY=VALUE");
  flags.add("internal", options.internal, "No way out of the network");
  flags.add("ipv4", options.ipv4, "Give out IPv4 addresses").defaults_to("true");
  flags.add("ipv6", options.ipv6, "Give out IPv6 addresses");
  flags.add("attachable", options.attachable, "Containers may be connected by hand");
  flags.add("scope", options.scope, "The network's scope");
}

// Whether "10.1.0.0/24" holds "10.1.0.7" or "10.1.0.128/25". What is malformed is left to the daemon to refuse.
bool holds(const std::string& subnet, std::string_view address) {
  auto [base, prefix_text] = split_once(subnet, '/');
  std::array<unsigned char, 16> base_bytes{}, bytes{};
  std::string plain(split_once(address, '/').first);
  int family = plain.contains(':') ? AF_INET6 : AF_INET;
  if (::inet_pton(family, std::string(base).c_str(), base_bytes.data()) != 1 ||
      ::inet_pton(family, plain.c_str(), bytes.data()) != 1)
    return false;
  auto prefix = parse_number<std::size_t>(prefix_text.value_or(""));
  if (!prefix || *prefix > bytes.size() * 8) return false;
  for (std::size_t bit = 0; bit < *prefix; ++bit)
    if (((base_bytes[bit / 8] ^ bytes[bit / 8]) >> (7 - bit % 8) & 1) != 0) return false;
  return true;
}

// Gateways, ranges and addresses belong to the subnet that holds them.
Result<json::Array> pools_of(const CreateOptions& options) {
  json::Array config;
  for (const std::string& subnet : options.subnets) config.push_back(json::Object{{"Subnet", subnet}});
  auto pool_of = [&](std::string_view address, const char* what) -> Result<json::Object*> {
    for (std::size_t i = 0; i < options.subnets.size(); ++i)
      if (holds(options.subnets[i], address)) return &config[i].get_object();
    return fail(ErrorCode::invalid, "no matching subnet for {} {}", what, address);
  };
  for (const std::string& range : options.ranges) {
    TRY(json::Object * pool, pool_of(range, "range"));
    (*pool)["IPRange"] = range;
  }
  for (const std::string& gateway : options.gateways) {
    TRY(json::Object * pool, pool_of(gateway, "gateway"));
    (*pool)["Gateway"] = gateway;
  }
  for (const std::string& text : options.reserved) {
    auto [name, address] = split_once(text, '=');
    TRY(json::Object * pool, pool_of(address.value_or(""), "aux-address"));
    json::Value& reserved = (*pool)["AuxiliaryAddresses"];
    if (!reserved.is_object()) reserved.emplace_object();
    reserved.get_object()[name] = *address;
  }
  return config;
}

Result<int> create_network(Context& context, const CreateOptions& options, const Words& words) {
  TRY(auto engine, context.engine());
  if (options.subnets.empty() && (!options.gateways.empty() || !options.ranges.empty()))
    return fail(ErrorCode::invalid, "every ip-range or gateway must have a corresponding subnet");
  TRY(json::Array config, pools_of(options));
  json::Object body{{"Name", words[0]}, {"Driver", options.driver}};
  body["CheckDuplicate"] = true;  // daemons before API 1.44 allow two networks of one name without it
  json::Object ipam{{"Driver", options.ipam_driver}, {"Config", config}};
  if (!options.ipam_options.empty()) ipam["Options"] = pairs(options.ipam_options);
  body["IPAM"] = ipam;
  if (!options.labels.empty()) body["Labels"] = pairs(options.labels);
  if (!options.options.empty()) body["Options"] = pairs(options.options);
  if (!options.scope.empty()) body["Scope"] = options.scope;
  if (options.internal) body["Internal"] = true;
  if (!options.ipv4) body["EnableIPv4"] = false;
  if (options.ipv6) body["EnableIPv6"] = true;
  if (options.attachable) body["Attachable"] = true;
  TRY(json::Value answer, engine.post("/networks/create", body));
  if (std::string warning = json::string_or(answer, "Warning"); !warning.empty())
    print_error(fmt::format("WARNING: {}\n", warning));
  TRY_OK(print_out(json::string_or(answer, "Id") + "\n"));
  return 0;
}

struct ForceOptions {
  bool force = false;
};

void declare_force(Flags& flags, ForceOptions& options) {
  flags.add("force,f", options.force, "It is no error when it is not there");
}

Result<int> remove_networks(Context& context, const ForceOptions& options, const Words& words) {
  TRY(auto engine, context.engine());
  TRY(int code, for_each_name(words, [&](const std::string& name) -> Result<std::string> {
        auto removed = engine.remove("/networks/" + escape_path(name));
        if (!removed && options.force && removed.error().code() == ErrorCode::not_found) return "";
        if (!removed) return std::unexpected(std::move(removed).error());
        return name;
      }));
  if (code != 0) print_error(fmt::format("exit status {}\n", code));  // as Docker's client ends here
  return code;
}

struct ConnectOptions {
  std::vector<std::string> aliases, links, link_local_ips, driver_options;
  std::string ip, ip6;
  std::optional<std::int64_t> priority;
};

void declare_connect(Flags& flags, ConnectOptions& options) {
  flags.add("alias", options.aliases, "A further name in the network");
  flags.add("link", options.links, "Link to another container: NAME[:ALIAS]");
  flags.add("ip", options.ip, "The IPv4 address in the network");
  flags.add("ip6", options.ip6, "The IPv6 address in the network");
  flags.add("link-local-ip", options.link_local_ips, "A link-local address of the interface");
  flags.add("driver-opt", options.driver_options, "An option of the network's driver: KEY=VALUE");
  flags.add("gw-priority", options.priority, "The default route is that of the network with the highest");
}

Result<int> connect_network(Context& context, const ConnectOptions& options, const Words& words) {
  TRY(auto engine, context.engine());
  json::Object endpoint, ipam;
  if (!options.ip.empty()) ipam["IPv4Address"] = options.ip;
  if (!options.ip6.empty()) ipam["IPv6Address"] = options.ip6;
  if (!options.link_local_ips.empty()) ipam["LinkLocalIPs"] = json::encode(options.link_local_ips);
  if (!ipam.empty()) endpoint["IPAMConfig"] = ipam;
  if (!options.driver_options.empty()) endpoint["DriverOpts"] = pairs(options.driver_options);
  if (options.priority) endpoint["GwPriority"] = *options.priority;
  if (!options.aliases.empty()) endpoint["Aliases"] = json::encode(options.aliases);
  if (!options.links.empty()) endpoint["Links"] = json::encode(options.links);
  json::Object body{{"Container", words[1]}, {"EndpointConfig", endpoint}};
  TRY_OK(engine.post(fmt::format("/networks/{}/connect", escape_path(words[0])), body));
  return 0;
}

void declare_disconnect(Flags& flags, ForceOptions& options) {
  flags.add("force,f", options.force, "Disconnect even a container that is gone");
}

Result<int> disconnect_network(Context& context, const ForceOptions& options, const Words& words) {
  TRY(auto engine, context.engine());
  TRY_OK(engine.post(fmt::format("/networks/{}/disconnect", escape_path(words[0])),
                     json::Object{{"Container", words[1]}, {"Force", options.force}}));
  return 0;
}

}  // namespace

constexpr Command kNetworkList = command<declare_list, list_networks>({
    .usage = "[OPTIONS]",
    .summary = "List networks",
    .arity = kNoWords,
    .examples = "network ls\nnetwork ls -o json",
    .aliases = "network ls, network list",
});

constexpr Command kNetworkCreate = command<declare_create, create_network>({
    .usage = "[OPTIONS] NETWORK",
    .summary = "Create a network",
    .arity = kOneWord,
    .examples = "network create team\nnetwork create --subnet 10.20.0.0/24 --internal backend",
});

constexpr Command kNetworkRemove = command<declare_force, remove_networks>({
    .usage = "NETWORK [NETWORK...]",
    .summary = "Remove networks",
    .arity = kSomeWords,
    .examples = "network rm team",
    .aliases = "network rm, network remove",
});

constexpr Command kNetworkConnect = command<declare_connect, connect_network>({
    .usage = "[OPTIONS] NETWORK CONTAINER",
    .summary = "Put a container on a network",
    .arity = kTwoWords,
    .examples = "network connect --alias db team postgres",
});

constexpr Command kNetworkDisconnect = command<declare_disconnect, disconnect_network>({
    .usage = "[OPTIONS] NETWORK CONTAINER",
    .summary = "Take a container off a network",
    .arity = kTwoWords,
    .examples = "network disconnect team postgres",
});

}  // namespace berth::cli
