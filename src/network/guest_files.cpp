#include "network/guest_files.h"

#include <algorithm>

#include "base/text.h"
#include "sys/file.h"

namespace berth::network {

namespace {

// The words of a line of resolv.conf(5), without comments; none for an empty line.
std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  std::string word;
  for (char c : line.substr(0, line.find_first_of("#;"))) {
    if (c != ' ' && c != '\t' && c != '\r') {
      word += c;
    } else if (!word.empty()) {
      words.push_back(std::move(word));
      word.clear();
    }
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

struct ResolvConf {
  std::vector<std::string> servers, search, options;
};

ResolvConf parse_resolv_conf(std::string_view text) {
  ResolvConf conf;
  for (const std::string& line : split(text, '\n')) {
    std::vector<std::string> words = words_of(line);
    if (words.size() < 2) continue;
    std::vector<std::string> values(words.begin() + 1, words.end());
    if (words[0] == "nameserver") conf.servers.push_back(values[0]);
    // The last of several counts; "domain" is the old form of it.
    if (words[0] == "search" || words[0] == "domain") conf.search = values;
    if (words[0] == "options") conf.options.insert(conf.options.end(), values.begin(), values.end());
  }
  return conf;
}

// Most networks carry IPv4 only, so resolvers with other addresses are out of reach; loopback is the container's own.
bool reachable_from_guest(const std::string& server) {
  auto address = Ip::parse(server);
  return address && !address->is_v6() && !address->is_loopback() && !address->is_any();
}

}  // namespace

std::string hosts_file(std::string_view hostname, std::string_view domain, const std::vector<HostsEntry>& extra,
                       const std::vector<Ip>& own) {
  std::string text =
      "127.0.0.1\tlocalhost\n"
      "::1\tlocalhost ip6-localhost ip6-loopback\n"
      "fe00::0\tip6-localnet\n"
      "ff00::0\tip6-mcastprefix\n"
      "ff02::1\tip6-allnodes\n"
      "ff02::2\tip6-allrouters\n";
  for (const HostsEntry& entry : extra) text += entry.address + "\t" + join(entry.names, " ") + "\n";
  std::string names = domain.empty() ? std::string(hostname) : fmt::format("{0}.{1} {0}", hostname, domain);
  for (Ip address : own) text += address.text() + "\t" + names + "\n";
  return text;
}

std::string resolv_conf(std::string_view host_text, const DnsSpec& spec, const char* own) {
  ResolvConf conf = parse_resolv_conf(host_text);
  std::erase_if(conf.servers, [](const std::string& server) { return !reachable_from_guest(server); });
  if (conf.servers.empty()) conf.servers = {"8.8.8.8", "8.8.4.4"};
  if (!spec.servers.empty()) conf.servers = spec.servers;
  if (!spec.search.empty()) conf.search = spec.search;
  if (conf.search == std::vector<std::string>{"."}) conf.search.clear();
  if (!spec.options.empty()) conf.options = spec.options;
  if (own != nullptr) {
    conf.servers = {own};
    bool told = std::ranges::any_of(conf.options, [](const std::string& o) { return o.starts_with("ndots:"); });
    if (!told) conf.options.emplace_back("ndots:0");
  }
  std::string text;
  for (const std::string& server : conf.servers) text += "nameserver " + server + "\n";
  if (!conf.search.empty()) text += "search " + join(conf.search, " ") + "\n";
  if (!conf.options.empty()) text += "options " + join(conf.options, " ") + "\n";
  return text;
}

std::vector<std::string> resolvers_in(std::string_view text) { return parse_resolv_conf(text).servers; }

std::string read_host_resolv_conf() {
  auto read = [](const char* path) { return sys::read_file(path, 64 << 10).value_or(""); };
  std::string text = read("/etc/resolv.conf");
  bool only_the_stub = parse_resolv_conf(text).servers == std::vector<std::string>{"127.0.0.53"};
  std::string behind_it = only_the_stub ? read("/run/systemd/resolve/resolv.conf") : "";
  return behind_it.empty() ? text : behind_it;
}

std::string hostname_file(std::string_view hostname) { return fmt::format("{}\n", hostname); }

}  // namespace berth::network
