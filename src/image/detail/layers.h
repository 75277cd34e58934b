// Layers on disk: extracting them into a staging directory, moving them into place, making their tar streams again.
//
// Thread: any; everything here blocks.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"
#include "fs/stream.h"
#include "image/detail/unpack.h"
#include "sys/process.h"
#include "sys/unique_fd.h"

namespace berth::image {

// Where things lie below the store's directory.
struct Paths {
  std::string root;
  std::string catalog() const { return root + "/images.json"; }
  std::string configs() const { return root + "/configs"; }
  std::string layers() const { return root + "/layers"; }
  std::string outlines() const { return root + "/outlines"; }
  std::string downloads() const { return root + "/downloads"; }
  std::string temporary() const { return root + "/tmp"; }
  std::string config(const std::string& hex) const { return configs() + "/" + hex; }
  std::string layer(const std::string& hex) const { return layers() + "/" + hex; }
  std::string outline(const std::string& hex) const { return outlines() + "/" + hex; }
};

// An extracted layer that is not in place yet.
struct StagedLayer {
  std::string diff_id;    // hex
  std::string directory;  // holds "root" and "outline"
  std::uint64_t size = 0;
  std::uint64_t stream = 0;
  bool overlapping = false;
};

struct UnpackSettings {
  std::string program;  // berth-unpack
  UnpackLimits limits;
};

// A running berth-unpack, as a sink for the (compressed) layer.
class Unpacking : public fs::Sink {
 public:
  // directory is made by this call. What is left there after a failure goes with its parent.
  static Result<Unpacking> start(const UnpackSettings& settings, const std::string& directory);
  Unpacking(Unpacking&&) noexcept = default;
  // Kills and reaps a child that finish() has not.
  ~Unpacking() override;

  // A child that has given up makes this fail with `cancelled`; finish() then tells its reason.
  Result<void> write(std::string_view bytes) override;
  bool has_given_up() const { return given_up_; }
  Result<StagedLayer> finish();

 private:
  Unpacking() = default;
  bool given_up_ = false;
  std::string directory_;
  sys::Process child_;
  sys::UniqueFd input_;
  sys::UniqueFd report_;
};

// Renames it into place; a layer that is there already stays.
Result<void> activate(const Paths& paths, const StagedLayer& layer);

// Writes the exact uncompressed stream. Fails when its hash is not the diff id: by then all of it has been written.
Result<void> rebuild(const Paths& paths, const std::string& diff_id, fs::Sink& sink);

}  // namespace berth::image
