// Named volumes: directories that outlive the containers that use them.
//
//   <state>/NAME/_data        what containers see; mounted by the shim, idmapped, so files keep plain ids
//   <state>/NAME/volume.json  the record
//   <state>/.new-*, .old-*    half-made and half-removed volumes: a volume comes and goes by one rename(2)
//
// Thread: the loop's; trees are copied and removed on the blocking pool. Errors carry Docker's texts.
#pragma once

#include <boost/describe.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/loop.h"
#include "base/time.h"

namespace berth::volume {

struct VolumeSpec {
  std::string name;              // empty: anonymous, 64 hex digits are made up
  std::string driver = "local";  // the only one
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> options;  // type=none, o=bind, device=PATH: a directory of the host's
};

struct Volume {
  std::string name;
  std::string driver;
  Time created;
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> options;
  bool anonymous = false;
  std::string mountpoint;  // the _data directory; not in the record, so a state directory may be moved
};
BOOST_DESCRIBE_STRUCT(Volume, (), (name, driver, created, labels, options, anonymous))

// Docker's rule for names; `invalid` with Docker's text, which begins with "create NAME: ".
Result<void> check_name(std::string_view name);

// The ids of the containers that use a volume, running or not.
using Users = std::function<std::vector<std::string>(std::string_view name)>;

class Volumes {
 public:
  // Reads the records under state_dir, which is made when missing, and clears what is half-made or half-removed.
  // users is asked before a volume is removed. Blocks; for the start of the engine.
  static Result<std::unique_ptr<Volumes>> open(async::Loop& loop, std::string state_dir, Users users);
  ~Volumes();

  // The volume of that name when it exists already, whatever its labels. Fast: no tree is touched.
  Result<Volume> create(VolumeSpec spec);
  // not_found "get NAME: no such volume".
  Result<Volume> find(std::string_view name) const;
  // By name.
  std::vector<Volume> list() const;
  // conflict "remove NAME: volume is in use - [ID, ID]". The name is free at once; the tree goes before the task ends.
  async::Task<Result<void>> remove(std::string name);

  // Fills a volume that is still empty with what the image has at its mount point: the directory's own owner, mode and
  // extended attributes and all below it, with hard links, devices excepted. A volume that holds anything is left
  // alone. source must stay open until the task ends and must not change meanwhile. Answers whether it copied.
  async::Task<Result<bool>> copy_up(std::string name, int source);

  // Bytes on disk below the volume, each hard link once.
  async::Task<Result<std::uint64_t>> usage(std::string name);

  struct Pruned {
    std::vector<std::string> names;
    std::uint64_t bytes = 0;
  };
  // Removes the unused volumes that choose likes.
  async::Task<Result<Pruned>> prune(std::function<bool(const Volume&)> choose);

 private:
  class Impl;
  explicit Volumes(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace berth::volume
