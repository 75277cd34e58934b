#include "oci/manifest.h"

#include <algorithm>

#include "base/json.h"
#include "base/text.h"

namespace berth::oci {

namespace {

constexpr std::size_t kMaxManifest = 4 << 20;
constexpr std::size_t kMaxDescriptors = 1000;

bool is_manifest_type(std::string_view type) { return type == kOciManifest || type == kDockerManifest; }
bool is_index_type(std::string_view type) { return type == kOciIndex || type == kDockerList; }

Result<Descriptor> parse_descriptor(const json::Value& value) {
  if (!value.is_object()) return fail(ErrorCode::invalid, "manifest: a descriptor is no object");
  Descriptor descriptor;
  descriptor.media_type = json::string_or(value, "mediaType");
  TRY(descriptor.digest, annotate(Digest::parse(json::string_or(value, "digest")), "manifest"));
  std::int64_t size = json::int_or(value, "size", -1);
  if (size < 0) return fail(ErrorCode::invalid, "manifest: a descriptor has no size");
  descriptor.size = static_cast<std::uint64_t>(size);
  if (const json::Value* platform = json::find(value, "platform"))
    descriptor.platform = Platform{json::string_or(*platform, "os"), json::string_or(*platform, "architecture"),
                                   json::string_or(*platform, "variant")};
  return descriptor;
}

Result<std::vector<Descriptor>> parse_descriptors(const json::Value& value, std::string_view key) {
  const json::Value* list = json::find(value, key);
  if (list == nullptr || !list->is_array()) return fail(ErrorCode::invalid, "manifest: {}: want an array", key);
  if (list->get_array().size() > kMaxDescriptors)
    return fail(ErrorCode::exhausted, "manifest: more than {} {}", kMaxDescriptors, key);
  std::vector<Descriptor> descriptors;
  for (const json::Value& element : list->get_array()) {
    TRY(Descriptor descriptor, parse_descriptor(element));
    descriptors.push_back(std::move(descriptor));
  }
  return descriptors;
}

// "application/json; charset=utf-8" -> "application/json"
std::string plain_type(std::string_view media_type) { return to_lower(trim(split_once(media_type, ';').first)); }

Result<std::string> kind_of(const json::Value& document, std::string_view media_type) {
  std::string said = plain_type(media_type);
  std::string own = json::string_or(document, "mediaType");
  if (own.empty()) own = is_manifest_type(said) || is_index_type(said) ? said : "";
  if (own.empty()) own = json::find(document, "manifests") != nullptr ? kOciIndex : kOciManifest;
  bool contradicts = (is_manifest_type(said) && is_index_type(own)) || (is_index_type(said) && is_manifest_type(own));
  bool is_both = json::find(document, "manifests") != nullptr && json::find(document, "layers") != nullptr;
  // A document that reads as two things would be two images under one digest.
  if (contradicts || is_both)
    return fail(ErrorCode::invalid, "manifest: its media type and content contradict each other");
  return own;
}

}  // namespace

Result<AnyManifest> parse_manifest(std::string_view text, std::string_view media_type) {
  if (text.size() > kMaxManifest) return fail(ErrorCode::exhausted, "manifest: larger than {} bytes", kMaxManifest);
  TRY(json::Value document, annotate(json::parse(text), "manifest"));
  if (!document.is_object()) return fail(ErrorCode::invalid, "manifest: want an object");
  if (json::int_or(document, "schemaVersion") == 1)
    return fail(ErrorCode::unsupported,
                "Docker Image Format v1 and Docker Image manifest version 2, schema 1 are not supported: "
                "the image must be pushed again by a newer tool");
  if (json::int_or(document, "schemaVersion") != 2) return fail(ErrorCode::invalid, "manifest: unknown schemaVersion");
  TRY(std::string kind, kind_of(document, media_type));
  if (is_index_type(kind)) {
    TRY(std::vector<Descriptor> manifests, parse_descriptors(document, "manifests"));
    return Index{kind, std::move(manifests)};
  }
  if (!is_manifest_type(kind)) return fail(ErrorCode::unsupported, "manifest: unsupported media type \"{}\"", kind);
  const json::Value* config = json::find(document, "config");
  if (config == nullptr) return fail(ErrorCode::invalid, "manifest: no config");
  TRY(Descriptor config_descriptor, parse_descriptor(*config));
  TRY(std::vector<Descriptor> layers, parse_descriptors(document, "layers"));
  return Manifest{kind, std::move(config_descriptor), std::move(layers)};
}

namespace {

json::Object print_descriptor(const Descriptor& descriptor) {
  return {{"mediaType", descriptor.media_type}, {"size", descriptor.size}, {"digest", descriptor.digest.text()}};
}

}  // namespace

std::string print_manifest(const Manifest& manifest) {
  json::Array layers;
  for (const Descriptor& layer : manifest.layers) layers.push_back(print_descriptor(layer));
  json::Object document{{"schemaVersion", 2},
                        {"mediaType", manifest.media_type},
                        {"config", print_descriptor(manifest.config)},
                        {"layers", std::move(layers)}};
  return json::print(document);
}

Result<Descriptor> choose(const Index& index, const Platform& platform) {
  const Descriptor* best = nullptr;
  for (const Descriptor& candidate : index.manifests) {
    // An entry without platform can only be meant for everybody.
    Platform offered = candidate.platform.value_or(Platform{platform.os, platform.architecture, ""});
    if (offered.os != platform.os || offered.architecture != platform.architecture) continue;
    if (offered.variant == platform.variant) return candidate;
    bool too_new = !platform.variant.empty() && offered.variant > platform.variant;
    auto variant_of = [](const Descriptor& d) { return d.platform ? d.platform->variant : std::string(); };
    if (!too_new && (best == nullptr || offered.variant > variant_of(*best))) best = &candidate;
  }
  if (best != nullptr) return *best;
  return fail(ErrorCode::not_found, "no matching manifest for {} in the manifest list entries",
              print_platform(platform));
}

}  // namespace berth::oci
