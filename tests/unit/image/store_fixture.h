// A store in a directory of its own, and archives made on the spot.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>
#include <boost/asio/executor_work_guard.hpp>

#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "async/loop.h"
#include "async/task_group.h"
#include "fs/digest.h"
#include "fs/tar.h"
#include "fs/tree.h"
#include "image/store.h"
#include "sys/file.h"

namespace berth::image {

inline fs::tar::Entry file_entry(std::string path, std::uint32_t mode = 0644) {
  fs::tar::Entry entry;
  entry.path = std::move(path);
  entry.mode = mode;
  entry.modified.tv_sec = 1700000000;
  return entry;
}

inline fs::tar::Entry entry_of(fs::tar::Type type, std::string path, std::string link = {}) {
  fs::tar::Entry entry = file_entry(std::move(path), 0755);
  entry.type = type;
  entry.link = std::move(link);
  return entry;
}

// A tar stream of entries and contents.
class Tar {
 public:
  Tar() : writer_(sink_) {}
  Tar& add(const fs::tar::Entry& entry, std::string_view content = {}) {
    EXPECT_TRUE(writer_.add(entry, content));
    return *this;
  }
  Tar& file(const std::string& path, std::string_view content) { return add(file_entry(path), content); }
  Tar& directory(const std::string& path) { return add(entry_of(fs::tar::Type::directory, path)); }
  std::string finish() {
    EXPECT_TRUE(writer_.finish());
    return sink_.take();
  }

 private:
  fs::StringSink sink_;
  fs::tar::Writer writer_;
};

inline std::string config_for(const std::vector<std::string>& layers, const std::string& command = "sh") {
  oci::ImageConfig config;
  config.created = *parse_rfc3339("2026-01-02T03:04:05Z");
  config.architecture = oci::host_platform().architecture;
  config.os = "linux";
  config.config.cmd = {command};
  for (const std::string& layer : layers) config.diff_ids.push_back(oci::Digest::sha256(fs::sha256_hex(layer)));
  return oci::print_image_config(config);
}

// A docker-archive of one image in the old layout: layers before manifest.json.
inline std::string docker_archive(const std::vector<std::string>& layers, const std::string& tags_json,
                                  const std::string& config) {
  Tar tar;
  std::string list;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    std::string path = fmt::format("{:064x}/layer.tar", i + 1);
    tar.file(path, layers[i]);
    list += fmt::format("{}\"{}\"", list.empty() ? "" : ",", path);
  }
  std::string name = fs::sha256_hex(config) + ".json";
  tar.file(name, config);
  tar.file("manifest.json", fmt::format(R"([{{"Config":"{}","RepoTags":{},"Layers":[{}]}}])", name, tags_json, list));
  return tar.finish();
}

// A descriptor from which these bytes can be read.
inline sys::UniqueFd readable(const std::string& bytes) {
  char name[] = "/tmp/berth-test-XXXXXX";
  sys::UniqueFd fd(::mkostemp(name, O_CLOEXEC));
  ::unlink(name);
  EXPECT_TRUE(sys::write_all(fd.get(), bytes));
  ::lseek(fd.get(), 0, SEEK_SET);
  return fd;
}

class StoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    // Layers keep their owners and live in user namespaces with every id mapped: nothing to be had without root.
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    char name[] = "/tmp/berth-image-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
    open();
  }
  void TearDown() override {
    close();
    if (!directory_.empty()) EXPECT_TRUE(fs::remove_tree(directory_));
  }

  StoreSettings settings() const {
    StoreSettings settings;
    settings.directory = directory_ + "/images";
    settings.unpack_program = BERTH_TEST_BIN "/berth-unpack";
    return settings;
  }
  void open() {
    auto store = Store::open(loop_, settings());
    ASSERT_TRUE(store) << store.error().text();
    store_ = *std::move(store);
  }
  void close() {
    if (!store_) return;
    run(store_->close());
    store_.reset();
  }

  // Runs the loop until the task has ended.
  template <class T>
  T run(async::Task<T> task) {
    std::optional<T> result;
    auto wrap = [](async::Task<T> inner, std::optional<T>& out) -> async::Task<> {
      out.emplace(co_await std::move(inner));
    };
    run(wrap(std::move(task), result));
    return std::move(*result);
  }
  void run(async::Task<> task) {
    async::TaskGroup group(loop_);
    group.spawn("test", std::move(task));
    auto guard = boost::asio::make_work_guard(loop_.context());
    loop_.context().restart();
    while (group.size() > 0) loop_.context().run_one();
  }

  Progress progress() {
    return [this](const ProgressEvent& event) {
      log_ += event.stream.empty() ? event.id + (event.id.empty() ? "" : ": ") + event.status + "\n" : event.stream;
    };
  }
  Result<std::vector<ImagePtr>> load(const std::string& archive) {
    return run(store_->load(readable(archive), progress()));
  }
  std::size_t count(const std::string& directory) const {
    auto names = sys::list_directory(directory_ + "/images/" + directory);
    return names ? names->size() : 0;
  }

  std::string directory_;
  async::Loop loop_;
  std::unique_ptr<Store> store_;
  std::string log_;
};

}  // namespace berth::image
