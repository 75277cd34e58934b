// What the store's operations share. All of it belongs to the loop thread; lambdas that run elsewhere get copies.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "async/event.h"
#include "async/task_group.h"
#include "image/detail/catalog.h"
#include "image/detail/layers.h"
#include "image/detail/pull_job.h"
#include "image/store.h"

namespace berth::image {

// A directory below tmp/ for one operation.
class Stage {
 public:
  // Blocks (one mkdir).
  static Result<Stage> make(const Paths& paths);
  // A new name in it.
  std::string next() { return directory_ + "/" + std::to_string(count_++); }
  const std::string& directory() const { return directory_; }

 private:
  std::string directory_;
  int count_ = 0;
};

// An image whose parts are at hand: what Store::State::add takes.
struct NewImage {
  std::string config_text;
  std::vector<std::string> tags;            // canonical
  std::vector<std::string> digests;         // canonical
  std::vector<StagedLayer> staged;          // those of its layers that were extracted for it
  std::map<std::string, BlobRecord> blobs;  // by hex diff id
  std::string parent;                       // hex id; empty: none
  std::string step;
};

struct LoadedConfig {
  std::string text;
  oci::ImageConfig config;
};

struct Store::State {
  State(async::Loop& l, StoreSettings s);

  async::Loop& loop;
  StoreSettings settings;
  Paths paths;
  Catalog catalog;
  std::map<std::string, LoadedConfig> configs;  // by hex id
  std::map<std::string, ImagePtr> images;       // by hex id, removed ones too: catalog and configurations together
  FindUsers find_users;
  ImageEvent on_event;

  async::Mutex changing;                                         // held while images.json and what it names change
  std::map<std::string, int> pinned;                             // layers that a running operation counts on
  std::set<std::string> doomed;                                  // layers on their way out
  std::map<std::string, std::shared_ptr<PullJob>> pulls;         // by canonical reference and platform
  std::map<std::string, std::weak_ptr<async::Mutex>> downloads;  // one download of a blob at a time
  async::TaskGroup tasks;
  std::shared_ptr<std::atomic<bool>> stopping = std::make_shared<std::atomic<bool>>(false);
  std::size_t operations = 0;
  async::Notifier operation_ended;

  UnpackSettings unpack_settings() const {
    return {settings.unpack_program, {settings.limits.layer_bytes, settings.limits.layer_entries}};
  }
  bool has_layer(const std::string& hex) const { return catalog.layers.contains(hex) && !doomed.contains(hex); }
  std::vector<ImageUser> users_of(const std::string& hex) const;
  void emit(std::string_view action, const std::string& hex, const std::string& name) const;

  // Edits a copy of the catalog, writes it down, makes it visible. prepare runs before and finish after that on the
  // blocking pool, all in one critical section; both may be empty.
  async::Task<Result<void>> change(std::function<Result<void>()> prepare, std::function<Result<void>(Catalog&)> edit,
                                   std::function<Result<void>()> finish);
  // Puts layers and configuration in place and the image into the catalog. Checks nothing but that all layers are
  // there.
  async::Task<Result<ImagePtr>> add(NewImage image);
  async::Task<> collect();
  async::Task<> discard(Stage stage);
  // Makes images anew from catalog and configs.
  void refresh();
};

// Counts an operation in, so that close() can wait for it.
class Operation {
 public:
  explicit Operation(Store::State& state) : state_(state) { ++state_.operations; }
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  ~Operation() {
    --state_.operations;
    state_.operation_ended.notify_all();
  }

 private:
  Store::State& state_;
};

// Keeps layers from being collected while an operation counts on them.
class Pins {
 public:
  explicit Pins(Store::State& state) : state_(state) {}
  Pins(const Pins&) = delete;
  Pins& operator=(const Pins&) = delete;
  ~Pins();
  void add(const std::string& hex);

 private:
  Store::State& state_;
  std::vector<std::string> layers_;
};

}  // namespace berth::image
