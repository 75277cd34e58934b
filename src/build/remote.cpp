#include "build/detail/remote.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/text.h"
#include "fs/digest.h"
#include "fs/root_dir.h"
#include "fs/tree.h"
#include "image/download.h"
#include "sys/file.h"
#include "sys/process.h"

namespace berth::build {

namespace {

constexpr std::uint64_t kMaxDownload = 32ull << 30;
constexpr std::size_t kMaxDockerfile = 2 << 20;

struct GitSource {
  std::string repository;
  std::string reference;
  std::string directory;
};

bool is_git(std::string_view source) {
  std::string_view location = source.substr(0, source.find('#'));
  return location.starts_with("git://") || location.starts_with("git@") || location.starts_with("github.com/") ||
         location.starts_with("ssh://") || location.starts_with("file://") || location.ends_with(".git");
}

GitSource parse_git(std::string_view source) {
  GitSource git;
  auto [location, fragment] = split_once(source, '#');
  git.repository = location.starts_with("github.com/") ? "https://" + std::string(location) : std::string(location);
  auto [reference, directory] = split_once(fragment.value_or(""), ':');
  git.reference = reference;
  git.directory = directory.value_or("");
  return git;
}

std::string find_git() {
  for (const char* path : {"/usr/bin/git", "/usr/local/bin/git", "/bin/git"})
    if (sys::exists(path)) return path;
  return {};
}

Result<void> run_git(std::vector<std::string> words) {
  std::string program = find_git();
  if (program.empty())
    return fail(ErrorCode::unsupported, "building from a git repository needs git: apt-get install git");
  std::string shown = "git " + words.front();
  words.insert(words.begin(), program);
  sys::SpawnOptions options;
  options.argv = std::move(words);
  // No questions, no configuration of the engine's user, no protocol that runs programs.
  options.env = std::vector<std::string>{"PATH=/usr/local/bin:/usr/bin:/bin",
                                         "HOME=/nonexistent",
                                         "GIT_TERMINAL_PROMPT=0",
                                         "GIT_CONFIG_NOSYSTEM=1",
                                         "GIT_ALLOW_PROTOCOL=http:https:git:ssh:file",
                                         "GIT_SSH_COMMAND=ssh -o BatchMode=yes"};
  TRY(sys::Process child, sys::spawn(options));
  TRY(int status, child.wait());
  if (status != 0)
    return fail(ErrorCode::io, "error fetching: {} failed with status {}", shown, sys::exit_code_of(status));
  return {};
}

Result<void> clone(const RemoteContext& remote) {
  GitSource git = parse_git(remote.source);
  if (git.repository.starts_with('-') || git.reference.starts_with('-'))
    return fail(ErrorCode::invalid, "invalid git repository: {}", remote.source);
  std::string tree = remote.download;
  TRY_OK(run_git({"init", "--quiet", tree}));
  std::string reference = git.reference.empty() ? "HEAD" : git.reference;
  TRY_OK(run_git({"-C", tree, "fetch", "--quiet", "--depth", "1", "--", git.repository, reference}));
  TRY_OK(run_git({"-C", tree, "checkout", "--quiet", "--recurse-submodules", "FETCH_HEAD"}));
  TRY_OK(sys::make_directory(remote.directory, 0711));
  // The repository may hold symlinks: its directory is looked up below it.
  TRY(fs::RootDir root, fs::RootDir::open_host(tree));
  TRY(std::string inside, root.resolve(git.directory));
  if (inside == "/") TRY_OK(fs::remove_tree(tree + "/.git"));
  std::string source = inside == "/" ? tree : tree + inside;
  if (::rename(source.c_str(), (remote.directory + "/root").c_str()) < 0)
    return fail_errno("use the repository's directory " + git.directory);
  return {};
}

}  // namespace

Result<void> fetch_file(const std::string& url, const std::string& path, const std::string& checksum,
                        std::shared_ptr<std::atomic<bool>> stop) {
  TRY(sys::UniqueFd file, sys::open_file(path, O_RDWR | O_CREAT | O_EXCL, 0600));
  TRY(image::Download done, image::download(url, file.get(), kMaxDownload, std::move(stop)));
  if (!checksum.empty()) {
    if (::lseek(file.get(), 0, SEEK_SET) < 0) return fail_errno("rewind " + path);
    TRY(std::string hex, fs::sha256_hex_of(file.get()));
    if (checksum != "sha256:" + hex) return fail(ErrorCode::invalid, "digest mismatch sha256:{}: {}", hex, checksum);
  }
  if (!done.modified.is_set()) return {};
  timespec time{done.modified.nanoseconds / 1'000'000'000, 0};
  timespec times[2] = {time, time};
  if (::futimens(file.get(), times) < 0) return fail_errno("set the time of " + path);
  return {};
}

Result<sys::UniqueFd> fetch_context(const RemoteContext& remote) {
  if (is_git(remote.source)) {
    TRY_OK(clone(remote));
    return sys::UniqueFd();
  }
  if (!remote.source.starts_with("http://") && !remote.source.starts_with("https://"))
    return fail(ErrorCode::invalid, "unable to prepare context: {} is no http or git address", remote.source);
  TRY_OK(fetch_file(remote.source, remote.download, "", remote.stop));
  return sys::open_file(remote.download, O_RDONLY);
}

Result<void> use_as_dockerfile(RemoteContext& remote) {
  TRY(std::string text, sys::read_file(remote.download, kMaxDockerfile));
  TRY_OK(fs::remove_tree(remote.directory));
  TRY_OK(sys::ensure_directories(remote.directory + "/root", 0711));
  remote.dockerfile = "Dockerfile";
  return sys::replace_file(remote.directory + "/root/Dockerfile", text, 0644);
}

}  // namespace berth::build
