#include "network/detail/store.h"

#include "base/json.h"
#include "base/log.h"
#include "sys/file.h"

namespace berth::network {

namespace {

// Before networks had IPv6, their subnet and gateway were members of their own.
void bring_up_to_date(json::Value& record) {
  const json::Value* subnet = json::find(record, "subnet");
  const json::Value* interface = json::find(record, "interface");
  if (subnet == nullptr || interface == nullptr || *interface == "") return;
  json::Object& object = record.get_object();
  object["ipv4"] = json::Object{{"subnet", *subnet}, {"gateway", object["gateway"]}};
}

template <class T>
Result<T> load(const std::string& path, const std::string& id) {
  TRY(std::string text, sys::read_file(path, 1 << 20));
  TRY(json::Value value, json::parse(text));
  bring_up_to_date(value);
  TRY(T record, json::decode<T>(value));
  if (record.id != id) return fail(ErrorCode::invalid, "the record names another id: \"{}\"", record.id);
  return record;
}

enum class WhenBroken { keep, remove };

template <class T>
Result<std::vector<T>> load_all(const std::string& directory, WhenBroken when_broken) {
  constexpr std::string_view kSuffix = ".json";
  TRY(auto names, sys::list_directory(directory));
  std::vector<T> records;
  for (const std::string& name : names) {
    std::string path = directory + "/" + name;
    if (!name.ends_with(kSuffix)) {
      // What a killed replace_file() left behind.
      TRY_OK(sys::remove_file(path));
      continue;
    }
    auto record = load<T>(path, name.substr(0, name.size() - kSuffix.size()));
    if (record) {
      records.push_back(*std::move(record));
      continue;
    }
    log::warning("network record unreadable", {{"path", path}, {"error", record.error().text()}});
    if (when_broken == WhenBroken::remove) TRY_OK(sys::remove_file(path));
  }
  return records;
}

}  // namespace

Result<Store> Store::open(std::string directory) {
  for (const char* part : {"/networks", "/endpoints"}) TRY_OK(sys::ensure_directories(directory + part, 0700));
  return Store(std::move(directory));
}

std::string Store::path_of(const Network& network) const {
  return fmt::format("{}/networks/{}.json", directory_, network.id);
}
std::string Store::path_of(const Endpoint& endpoint) const {
  return fmt::format("{}/endpoints/{}.json", directory_, endpoint.id);
}

Result<std::vector<Network>> Store::load_networks() const {
  return load_all<Network>(directory_ + "/networks", WhenBroken::keep);
}
Result<std::vector<Endpoint>> Store::load_endpoints() const {
  return load_all<Endpoint>(directory_ + "/endpoints", WhenBroken::remove);
}

Result<void> Store::save(const Network& network) const {
  return sys::replace_file(path_of(network), json::print(json::encode(network)), 0600, sys::Durability::power);
}
Result<void> Store::save(const Endpoint& endpoint) const {
  return sys::replace_file(path_of(endpoint), json::print(json::encode(endpoint)), 0600, sys::Durability::process);
}
Result<void> Store::remove(const Network& network) const { return sys::remove_file(path_of(network)); }
Result<void> Store::remove(const Endpoint& endpoint) const { return sys::remove_file(path_of(endpoint)); }

}  // namespace berth::network
