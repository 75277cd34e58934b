// The store after kill -9: what was acknowledged is there, what was not leaves nothing that can be seen.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "store_fixture.h"

namespace berth::image {
namespace {

class CrashTest : public StoreTest {
 protected:
  // Runs the load in a process of its own and kills it when its files show that it has come this far.
  void load_and_kill(const std::string& archive, const std::string& marker) {
    close();
    sys::UniqueFd file = readable(archive);
    pid_t child = ::fork();
    if (child == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      async::Loop loop;
      auto store = Store::open(loop, settings());
      auto task = [](Store& s, sys::UniqueFd from) -> async::Task<> {
        (void)co_await s.load(std::move(from), nullptr);
      };
      async::TaskGroup group(loop);
      group.spawn("load", task(**store, std::move(file)));
      while (group.size() > 0) loop.context().run_one();
      ::_exit(0);
    }
    int status = 0;
    while (count(marker) == 0 && ::waitpid(child, &status, WNOHANG) == 0) continue;
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    open();
  }
};

TEST_F(CrashTest, LeavesTheWholeImageOrNothing) {
  std::vector<std::string> layers;
  for (int i = 0; i < 4; ++i) layers.push_back(Tar().file(fmt::format("f{}", i), std::string(100'000, 'x')).finish());
  std::string archive = docker_archive(layers, R"(["demo:1"])", config_for(layers));
  for (const char* marker : {"tmp", "outlines", "layers", "configs"}) {
    load_and_kill(archive, marker);
    EXPECT_EQ(count("tmp"), 0u) << marker;
    std::size_t images = store_->list().size();
    EXPECT_EQ(count("layers"), images * 4) << marker;
    EXPECT_EQ(count("outlines"), images * 4) << marker;
    EXPECT_EQ(count("configs"), images) << marker;
    auto loaded = load(archive);
    ASSERT_TRUE(loaded) << loaded.error().text();
    EXPECT_EQ((*store_->find("demo:1"))->layers.size(), 4u);
    ASSERT_TRUE(run(store_->remove("demo:1", {})));
  }
}

TEST_F(CrashTest, ADamagedImageIsDroppedAndTheOthersStay) {
  std::vector<std::string> one{Tar().file("a", "1").finish()}, two{Tar().file("b", "2").finish()};
  ASSERT_TRUE(load(docker_archive(one, R"(["one:1"])", config_for(one))));
  ASSERT_TRUE(load(docker_archive(two, R"(["two:1"])", config_for(two))));
  std::string layer = (*store_->find("one:1"))->layers[0];
  close();
  ASSERT_TRUE(fs::remove_tree(layer));
  open();
  EXPECT_FALSE(store_->find("one:1"));
  EXPECT_TRUE(store_->find("two:1"));
}

TEST_F(CrashTest, ACatalogThatCannotBeReadIsNotOverwritten) {
  close();
  ASSERT_TRUE(sys::replace_file(directory_ + "/images/images.json", "{\"version\":1,", 0600));
  auto store = Store::open(loop_, settings());
  ASSERT_FALSE(store);
  EXPECT_NE(store.error().text().find("images.json"), std::string::npos);
  EXPECT_EQ(*sys::read_file(directory_ + "/images/images.json"), "{\"version\":1,");
}

}  // namespace
}  // namespace berth::image
