// A container's networks: at its start, and joined and left while it lives.
#include <fcntl.h>

#include <algorithm>

#include "base/crash_point.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/networks.h"
#include "engine/run_files.h"
#include "engine/shim_client.h"
#include "sys/file.h"

namespace berth::engine {

namespace {

std::vector<network::Ip> addresses_of(const network::Endpoint& endpoint) {
  std::vector<network::Ip> addresses{endpoint.ip};
  if (endpoint.ip6) addresses.push_back(*endpoint.ip6);
  return addresses;
}

// The names by which the others find it; the first is that of reverse look-ups.
std::vector<std::string> names_of(const ContainerSpec& spec, const AttachmentSpec& attachment) {
  std::vector<std::string> names{spec.name};
  auto add = [&](const std::string& name) {
    if (!name.empty() && std::ranges::find(names, name) == names.end()) names.push_back(name);
  };
  for (const std::string& alias : attachment.aliases) add(alias);
  add(spec.id.substr(0, 12));
  add(spec.hostname);
  return names;
}

}  // namespace

std::vector<network::Endpoint> Container::endpoints() const { return engine_.parts_.networks.endpoints_of(id()); }

AttachmentSpec* Container::find_attachment(const std::string& network) {
  auto found = std::ranges::find(spec_.networks, network, &AttachmentSpec::network);
  return found == spec_.networks.end() ? nullptr : &*found;
}

void Container::publish_network(std::string action, const network::Endpoint& endpoint) {
  EventRecord event{"network",
                    std::move(action),
                    endpoint.network,
                    {{"container", id()}, {"name", endpoint.network_name}, {"type", "bridge"}},
                    {}};
  engine_.events_.publish(std::move(event));
}

// ---- at the start

Result<void> Container::add_ports(network::EndpointSpec& endpoint) const {
  std::vector<PortSpec> ports = spec_.ports;
  for (const std::string& exposed : spec_.publish_all ? spec_.exposed_ports : std::vector<std::string>()) {
    auto [number, protocol] = split_once(exposed, '/');
    PortSpec port;
    port.container_port = parse_number<std::uint16_t>(number).value_or(0);
    port.protocol = protocol.value_or("tcp");
    bool given = std::ranges::any_of(ports, [&](const PortSpec& each) {
      return each.container_port == port.container_port && each.protocol == port.protocol;
    });
    if (!given) ports.push_back(std::move(port));
  }
  for (const PortSpec& port : ports) {
    network::PortRequest wanted{port.protocol, {}, port.host_port, port.host_port_last, port.container_port};
    if (!port.host_ip.empty()) {
      TRY(wanted.host_ip, network::Ip::parse(port.host_ip));
    }
    endpoint.ports.push_back(std::move(wanted));
  }
  return {};
}

Result<network::EndpointSpec> Container::endpoint_spec(const AttachmentSpec& attachment, bool with_ports) const {
  network::EndpointSpec wanted{.container = id(), .container_name = spec_.name, .network = attachment.network};
  if (!attachment.ipv4.empty()) {
    TRY(wanted.ip, network::Ip::parse(attachment.ipv4));
  }
  if (!attachment.ipv6.empty()) {
    TRY(wanted.ip6, network::Ip::parse(attachment.ipv6));
  }
  if (!attachment.mac.empty()) {
    TRY(wanted.mac, network::MacAddress::parse(attachment.mac));
  }
  for (const std::string& text : attachment.link_local) {
    TRY(network::Ip ip, network::Ip::parse(text));
    wanted.link_local.push_back(ip);
  }
  wanted.priority = attachment.gateway_priority;
  wanted.names = names_of(spec_, attachment);
  for (const std::string& link : attachment.links) {
    auto [name, alias] = split_link(link);
    auto other = engine_.find(name);
    wanted.links[alias] = other ? (*other)->spec().name : name;
  }
  if (with_ports) TRY_OK(add_ports(wanted));
  return wanted;
}

async::Task<Result<void>> Container::attach_network(AttachmentSpec attachment, bool with_ports, int netns) {
  CO_TRY(network::EndpointSpec wanted, endpoint_spec(attachment, with_ports));
  auto endpoint = co_await engine_.parts_.networks.attach(std::move(wanted), netns);
  if (!endpoint) {
    Error error = std::move(endpoint).error();
    // Docker names the endpoint here; one that failed has no id, so the container's stands for it.
    if (error.message().starts_with("Bind for"))
      co_return std::unexpected(std::move(error).with(
          fmt::format("driver failed programming external connectivity on endpoint {} ({})", spec_.name, id())));
    co_return std::unexpected(std::move(error));
  }
  publish_network("connect", *endpoint);
  co_return edit_hosts_file(engine_, *this, {addresses_of(*endpoint), {}});
}

async::Task<Result<void>> Container::serve_names(int netns, bool again) {
  return engine_.parts_.networks.serve_names(id(), netns, spec_.dns, again);
}

async::Task<> Container::serve_names_beside(int netns, std::shared_ptr<Result<void>> result,
                                            std::shared_ptr<async::Event> done) {
  *result = co_await serve_names(netns, false);
  done->set();
}

async::Task<Result<void>> Container::attach_networks(sys::UniqueFd netns) {
  auto served = std::make_shared<Result<void>>();
  auto serving = std::make_shared<async::Event>(engine_.parts_.loop);
  // Beside the interfaces: neither needs the other, and both take their time on the blocking pool.
  if (wants_resolver(engine_, spec_))
    tasks_.spawn("resolver of " + id(), serve_names_beside(netns.get(), served, serving));
  else
    serving->set();
  // The ports are published where the default route will be.
  const AttachmentSpec* gateway = nullptr;
  for (const AttachmentSpec& attachment : spec_.networks) {
    auto network = engine_.parts_.networks.find(attachment.network);
    if (!network || network->internal) continue;
    if (gateway == nullptr || attachment.gateway_priority > gateway->gateway_priority) gateway = &attachment;
  }
  std::string with_ports = gateway == nullptr ? "" : gateway->network;
  Result<void> result;
  std::vector<AttachmentSpec> wanted = spec_.networks;
  for (const AttachmentSpec& attachment : wanted) {
    result = co_await attach_network(attachment, attachment.network == with_ports, netns.get());
    if (!result) break;
  }
  // Also after a failure: the namespace's descriptor is in use until then.
  while (!serving->is_set()) co_await serving->wait();
  if (!result) co_return result;
  co_return *served;
}

// ---- joined and left

Result<void> Container::check_attachment(const AttachmentSpec& wanted, const network::Network& network) const {
  if (network.name == network::kHostNetwork)
    return fail(ErrorCode::denied, "container cannot be disconnected from host network or connected to host network");
  if (spec_.network == network::kHostNetwork || spec_.network.starts_with("container:"))
    return fail(ErrorCode::denied,
                "container sharing network namespace with another container or host cannot be connected to any other "
                "network");
  if (network.name == network::kNoneNetwork || spec_.network == network::kNoneNetwork)
    return fail(ErrorCode::denied,
                "container cannot be connected to multiple networks with one of the networks in private (none) mode");
  bool there = std::ranges::find(spec_.networks, network.name, &AttachmentSpec::network) != spec_.networks.end();
  if (there && running())
    return fail(ErrorCode::denied, "endpoint with name {} already exists in network {}", spec_.name, network.name);
  return check_endpoint_settings(engine_, wanted);
}

async::Task<Result<void>> Container::connect(AttachmentSpec wanted) {
  auto self = shared_from_this();
  auto turn = co_await queue_.lock();
  if (removed_) co_return fail(ErrorCode::not_found, "No such container: {}", id());
  CO_TRY(network::Network network, engine_.parts_.networks.find(wanted.network));
  wanted.network = network.name;
  CO_TRY_OK(check_attachment(wanted, network));
  if (running()) {
    CO_TRY_OK(co_await connect_running(wanted));
    crash_point("connect.attached");
  }
  if (AttachmentSpec* there = find_attachment(network.name))
    *there = std::move(wanted);
  else
    spec_.networks.push_back(std::move(wanted));
  // An engine that dies before this takes the container off again: a place that its spec does not know.
  CO_TRY_OK(save_spec());
  crash_point("connect.done");
  co_return Result<void>();
}

async::Task<Result<void>> Container::connect_running(AttachmentSpec wanted) {
  CO_TRY(sys::UniqueFd netns, sys::open_file(fmt::format("/proc/{}/ns/net", status_.process.pid), O_RDONLY));
  network::Manager& networks = engine_.parts_.networks;
  CO_TRY(network::Network network, networks.find(wanted.network));
  // The first way out brings the ports.
  bool with_ports = !network.internal && !networks.gateway_endpoint(id());
  CO_TRY_OK(co_await attach_network(wanted, with_ports, netns.get()));
  if (!network.serves_names() || networks.serves_names(id())) co_return Result<void>();
  CO_TRY_OK(co_await serve_names(netns.get(), false));
  co_return use_own_resolver(engine_, *this);
}

async::Task<Result<void>> Container::disconnect(std::string name) {
  auto self = shared_from_this();
  auto turn = co_await queue_.lock();
  if (removed_) co_return fail(ErrorCode::not_found, "No such container: {}", id());
  CO_TRY(network::Network network, engine_.parts_.networks.find(name));
  if (network.name == network::kHostNetwork && spec_.network == network::kHostNetwork)
    co_return fail(ErrorCode::denied,
                   "container cannot be disconnected from host network or connected to host network");
  if (find_attachment(network.name) == nullptr)
    co_return fail(ErrorCode::denied, "container {} is not connected to {} {}", id(),
                   running() ? "network" : "the network", network.name);
  std::erase_if(spec_.networks, [&](const AttachmentSpec& each) { return each.network == network.name; });
  CO_TRY_OK(save_spec());
  crash_point("disconnect.spec-written");
  for (const network::Endpoint& endpoint : endpoints()) {
    if (endpoint.network != network.id) continue;
    CO_TRY(sys::UniqueFd netns, sys::open_file(fmt::format("/proc/{}/ns/net", status_.process.pid), O_RDONLY));
    CO_TRY_OK(co_await engine_.parts_.networks.detach_one(id(), network.id, netns.get()));
    CO_TRY_OK(edit_hosts_file(engine_, *this, {{}, addresses_of(endpoint)}));
    publish_network("disconnect", endpoint);
  }
  co_return Result<void>();
}

void Container::rename_endpoints() {
  for (const network::Endpoint& endpoint : endpoints()) {
    const AttachmentSpec* attachment = find_attachment(endpoint.network_name);
    if (attachment == nullptr) continue;
    auto named = engine_.parts_.networks.set_names(id(), endpoint.network, names_of(spec_, *attachment));
    if (!named) log::warning("names not kept", {{"container", id()}, {"error", named.error().text()}});
  }
}

// After a restart of the engine: what was being joined or left is left, and names are served again.
async::Task<> Container::restore_networks() {
  auto self = shared_from_this();
  auto turn = co_await queue_.lock();
  if (removed_ || !running()) co_return;
  auto netns = sys::open_file(fmt::format("/proc/{}/ns/net", status_.process.pid), O_RDONLY);
  if (!netns) co_return;
  for (const network::Endpoint& endpoint : endpoints()) {
    if (find_attachment(endpoint.network_name) != nullptr) continue;
    auto left = co_await engine_.parts_.networks.detach_one(id(), endpoint.network, netns->get());
    if (left) left = edit_hosts_file(engine_, *this, {{}, addresses_of(endpoint)});
    if (!left) log::warning("network not left", {{"container", id()}, {"error", left.error().text()}});
  }
  auto routed = co_await engine_.parts_.networks.restore_route(id(), netns->get());
  if (!routed) log::warning("route not restored", {{"container", id()}, {"error", routed.error().text()}});
  if (!wants_resolver(engine_, spec_)) co_return;
  auto served = co_await serve_names(netns->get(), true);
  if (!served) log::warning("names not served", {{"container", id()}, {"error", served.error().text()}});
}

}  // namespace berth::engine
