#include "oci/reference.h"

#include <algorithm>

#include "base/text.h"

namespace berth::oci {

namespace {

constexpr std::string_view kHub = "docker.io";
constexpr std::size_t kMaxName = 255;

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter_or_digit(char c) { return is_lower(c) || is_upper(c) || is_digit(c); }

std::unexpected<Error> bad_format() { return fail(ErrorCode::invalid, "invalid reference format"); }

template <class Holds>
bool all_of(std::string_view text, Holds holds) {
  return std::all_of(text.begin(), text.end(), holds);
}

// letters and digits, hyphens only inside; several of these between dots; or an IPv6 address in brackets.
bool is_host(std::string_view host) {
  if (host.starts_with('['))
    return host.size() > 2 && host.ends_with(']') && all_of(host.substr(1, host.size() - 2), [](char c) {
             return c == ':' || is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
           });
  for (const std::string& label : split(host, '.')) {
    if (label.empty() || label.front() == '-' || label.back() == '-') return false;
    if (!all_of(label, [](char c) { return is_letter_or_digit(c) || c == '-'; })) return false;
  }
  return true;
}

bool is_domain(std::string_view domain) {
  std::size_t colon = domain.rfind(':');
  bool inside_brackets = colon != std::string_view::npos && domain.find(']', colon) != std::string_view::npos;
  if (colon == std::string_view::npos || inside_brackets) return is_host(domain);
  std::string_view port = domain.substr(colon + 1);
  return is_host(domain.substr(0, colon)) && !port.empty() && all_of(port, is_digit);
}

// Lower-case words joined by one '.', one or two '_', or any number of '-'.
bool is_path_component(std::string_view text) {
  auto is_word = [](char c) { return is_lower(c) || is_digit(c); };
  if (text.empty() || !is_word(text.front()) || !is_word(text.back())) return false;
  for (std::size_t at = 0; at < text.size();) {
    if (is_word(text[at])) {
      ++at;
      continue;
    }
    std::size_t end = at;
    while (!is_word(text[end])) ++end;
    std::string_view joint = text.substr(at, end - at);
    if (joint != "." && joint != "_" && joint != "__" && !all_of(joint, [](char c) { return c == '-'; })) return false;
    at = end;
  }
  return true;
}

bool is_path(std::string_view path) {
  std::vector<std::string> parts = split(path, '/');
  return std::all_of(parts.begin(), parts.end(), [](const std::string& part) { return is_path_component(part); });
}

// The registry host and what follows; Docker's splitDockerDomain.
std::pair<std::string, std::string> split_domain(std::string_view name) {
  std::size_t slash = name.find('/');
  std::string_view first = name.substr(0, slash);
  bool is_named = slash != std::string_view::npos && (first.find_first_of(".:") != std::string_view::npos ||
                                                      first == "localhost" || to_lower(first) != first);
  std::string domain(is_named ? first : kHub);
  std::string rest(is_named ? name.substr(slash + 1) : name);
  if (domain == "index.docker.io") domain = kHub;
  if (domain == kHub && rest.find('/') == std::string::npos) rest = "library/" + rest;
  return {std::move(domain), std::move(rest)};
}

Result<void> check_name(const Reference& reference) {
  if (to_lower(reference.path) != reference.path)
    return fail(ErrorCode::invalid, "invalid reference format: repository name ({}) must be lowercase", reference.path);
  if (!is_domain(reference.domain) || !is_path(reference.path)) return bad_format();
  if (reference.name().size() > kMaxName)
    return fail(ErrorCode::invalid, "repository name must not be more than {} characters", kMaxName);
  return {};
}

}  // namespace

bool is_tag(std::string_view text) {
  if (text.empty() || text.size() > 128 || text[0] == '.' || text[0] == '-') return false;
  return all_of(text, [](char c) { return is_letter_or_digit(c) || c == '_' || c == '.' || c == '-'; });
}

Result<Reference> Reference::parse(std::string_view text) {
  if (text.starts_with("docker://")) text.remove_prefix(9);
  if (text.empty()) return bad_format();
  if (text.size() == 64 && all_of(text, [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); }))
    return fail(ErrorCode::invalid, "invalid repository name ({}), cannot specify 64-byte hexadecimal strings", text);
  Reference reference;
  auto [rest, digest] = split_once(text, '@');
  auto [domain, path] = split_domain(rest);
  std::optional<std::string> tag;
  if (std::size_t colon = path.find(':'); colon != std::string::npos) {
    tag = path.substr(colon + 1);
    path.resize(colon);
  }
  reference.domain = std::move(domain);
  reference.path = std::move(path);
  TRY_OK(check_name(reference));
  if (tag && !is_tag(*tag)) return bad_format();
  reference.tag = std::move(tag);
  if (digest) {
    auto parsed = Digest::parse(*digest);
    if (!parsed) return bad_format();
    reference.digest = *std::move(parsed);
  }
  return reference;
}

Reference Reference::with_default_tag() const { return tag || digest ? *this : with_tag("latest"); }

Reference Reference::with_tag(std::string_view new_tag) const {
  return {domain, path, std::string(new_tag), std::nullopt};
}

Reference Reference::with_digest(Digest new_digest) const {
  return {domain, path, std::nullopt, std::move(new_digest)};
}

std::string Reference::name() const { return domain + "/" + path; }

std::string Reference::familiar_name() const {
  if (domain != kHub) return name();
  constexpr std::string_view kLibrary = "library/";
  std::string shorter = path.starts_with(kLibrary) ? path.substr(kLibrary.size()) : path;
  // "docker.io/a.b/c" must not become "a.b/c", which means another registry.
  return split_domain(shorter) == std::pair(domain, path) ? shorter : name();
}

namespace {

std::string with_version(std::string name, const Reference& reference) {
  if (reference.tag) name += ":" + *reference.tag;
  if (reference.digest) name += "@" + reference.digest->text();
  return name;
}

}  // namespace

std::string Reference::canonical() const { return with_version(name(), *this); }
std::string Reference::familiar() const { return with_version(familiar_name(), *this); }

std::string Reference::version() const { return digest ? digest->text() : tag.value_or("latest"); }

}  // namespace berth::oci
