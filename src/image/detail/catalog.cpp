#include "image/detail/catalog.h"

#include <algorithm>
#include <set>

namespace berth::image {

namespace {

bool is_hex(std::string_view text) {
  return !text.empty() && text.size() <= 64 &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::unexpected<Error> no_such(std::string_view name) { return fail(ErrorCode::not_found, "No such image: {}", name); }

std::string_view without_algorithm(std::string_view name) {
  constexpr std::string_view kSha256 = "sha256:";
  return name.starts_with(kSha256) ? name.substr(kSha256.size()) : name;
}

}  // namespace

std::string familiar(std::string_view canonical) {
  auto reference = oci::Reference::parse(canonical);
  return reference ? reference->familiar() : std::string(canonical);
}

const std::string* Catalog::find_canonical(std::string_view canonical) const {
  for (const auto& [id, image] : images) {
    if (image.removed) continue;
    for (const auto* names : {&image.tags, &image.digests})
      if (std::find(names->begin(), names->end(), canonical) != names->end()) return &id;
  }
  return nullptr;
}

Result<std::string> Catalog::find(std::string_view name) const {
  std::string_view hex = without_algorithm(name);
  if (hex.size() == 64 && is_hex(hex)) {
    auto image = images.find(std::string(hex));
    if (image == images.end() || image->second.removed) return no_such(fmt::format("sha256:{}", hex));
    return image->first;
  }
  auto reference = oci::Reference::parse(name);
  if (reference) {
    oci::Reference full = reference->with_default_tag();
    // With both, the digest is what counts: the tag may have moved on.
    if (full.digest) full.tag.reset();
    if (const std::string* id = find_canonical(full.canonical())) return *id;
  }
  // As for Docker a name wins over the prefix of an id, and a prefix that several have is none.
  if (is_hex(hex)) {
    std::vector<std::string> matches;
    for (const auto& [id, image] : images)
      if (!image.removed && id.starts_with(hex)) matches.push_back(id);
    if (matches.size() == 1) return matches.front();
  }
  if (!reference) return std::unexpected(std::move(reference).error());
  return no_such(reference->with_default_tag().familiar());
}

void Catalog::set_tag(const std::string& id, const std::string& canonical) {
  for (auto& [other, image] : images) std::erase(image.tags, canonical);
  ImageRecord& image = images[id];
  image.tags.push_back(canonical);
  std::sort(image.tags.begin(), image.tags.end());
  image.tagged = now();
  image.removed = false;
}

void Catalog::add_digest(const std::string& id, const std::string& canonical) {
  // A manifest names one image for good; two records would only come from an older, other platform choice.
  for (auto& [other, image] : images) std::erase(image.digests, canonical);
  ImageRecord& image = images[id];
  image.digests.push_back(canonical);
  std::sort(image.digests.begin(), image.digests.end());
  image.removed = false;
}

namespace {

std::unexpected<Error> in_use(std::string_view what, std::string_view why, bool can_force) {
  return fail(ErrorCode::busy, "conflict: unable to {} ({}) - {}", what,
              can_force ? "must be forced" : "cannot be forced", why);
}

std::string short_id(std::string_view id) { return std::string(id.substr(0, 12)); }

const ImageUser* find_user(const std::vector<ImageUser>& users, bool running) {
  for (const ImageUser& user : users)
    if (user.running == running) return &user;
  return nullptr;
}

// Removing the image itself, by id or by its last name.
Result<void> check_delete(const std::string& id, const ImageRecord& image, bool by_id, bool force, bool has_children,
                          const std::vector<ImageUser>& users) {
  std::string what = fmt::format("delete {}", short_id(id));
  if (has_children) return in_use(what, "image has dependent child images", false);
  if (const ImageUser* user = find_user(users, true))
    return in_use(what, fmt::format("image is being used by running container {}", short_id(user->container_id)),
                  false);
  if (force) return {};
  std::set<std::string> repositories;
  for (const std::string& tag : image.tags) repositories.insert(tag.substr(0, tag.rfind(':')));
  if (by_id && (repositories.size() > 1 || (image.tags.size() > 1)))
    return in_use(what, "image is referenced in multiple repositories", true);
  if (const ImageUser* user = find_user(users, false))
    return in_use(what, fmt::format("image is being used by stopped container {}", short_id(user->container_id)), true);
  return {};
}

}  // namespace

std::vector<Removal> Catalog::remove_image(const std::string& id, bool hide) {
  std::vector<Removal> removals;
  ImageRecord& image = images[id];
  for (const auto* names : {&image.tags, &image.digests})
    for (const std::string& name : *names) removals.push_back({.untagged = familiar(name)});
  removals.push_back({.deleted = "sha256:" + id});
  if (hide) {
    image.tags.clear();
    image.digests.clear();
    image.removed = true;
  } else {
    images.erase(id);
  }
  return removals;
}

Result<std::vector<Removal>> Catalog::remove(std::string_view name, bool force, const std::vector<ImageUser>& users) {
  TRY(std::string id, find(name));
  ImageRecord& image = images[id];
  auto reference = oci::Reference::parse(name);
  std::string canonical;
  if (reference) {
    oci::Reference full = reference->with_default_tag();
    if (full.digest) full.tag.reset();
    canonical = full.canonical();
  }
  bool is_tag = std::find(image.tags.begin(), image.tags.end(), canonical) != image.tags.end();
  bool is_digest = std::find(image.digests.begin(), image.digests.end(), canonical) != image.digests.end();
  bool by_id = !is_tag && !is_digest;
  // A digest is no name of its own while the repository's tags are there: Docker drops it with the last of them.
  if ((is_tag && image.tags.size() > 1) || (is_digest && !image.tags.empty())) {
    std::erase(is_tag ? image.tags : image.digests, canonical);
    return std::vector<Removal>{{.untagged = familiar(canonical)}};
  }
  if (!by_id && !force) {
    const ImageUser* user = find_user(users, true);
    if (user == nullptr) user = find_user(users, false);
    if (user != nullptr)
      return fail(ErrorCode::busy,
                  "conflict: unable to remove repository reference \"{}\" (must force) - container {} is using its "
                  "referenced image {}",
                  name, short_id(user->container_id), short_id(id));
  }
  if (!by_id && (find_user(users, true) != nullptr || has_children(id))) {
    // The name goes, the image stays: for the container that runs, or for the images made from it.
    std::erase(is_tag ? image.tags : image.digests, canonical);
    return std::vector<Removal>{{.untagged = familiar(canonical)}};
  }
  TRY_OK(check_delete(id, image, by_id, force, has_children(id), users));
  return remove_image(id, !users.empty());
}

bool Catalog::has_children(const std::string& id) const {
  return std::any_of(images.begin(), images.end(),
                     [&](const auto& image) { return image.second.parent == id && !image.second.removed; });
}

std::vector<Removal> Catalog::remove_nameless(std::string id, const std::function<bool(const std::string&)>& in_use) {
  std::vector<Removal> removals;
  for (auto image = images.find(id); image != images.end(); image = images.find(id)) {
    const ImageRecord& record = image->second;
    bool stays = record.removed || !record.tags.empty() || !record.digests.empty() || has_children(id) || in_use(id);
    if (stays) break;
    std::string parent = record.parent;
    removals.push_back({.deleted = "sha256:" + id});
    images.erase(image);
    id = parent;
  }
  return removals;
}

std::vector<std::string> Catalog::unused_layers() const {
  std::set<std::string> used;
  for (const auto& [id, image] : images) used.insert(image.layers.begin(), image.layers.end());
  std::vector<std::string> unused;
  for (const auto& [layer, record] : layers)
    if (!used.contains(layer)) unused.push_back(layer);
  return unused;
}

}  // namespace berth::image
