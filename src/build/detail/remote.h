// What a build gets from elsewhere: contexts by URL or from git, and ADD of a URL.
//
// Thread: any; blocks on network and disk.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "base/error.h"
#include "sys/unique_fd.h"

namespace berth::build {

struct RemoteContext {
  std::string source;      // URL of a tar archive or a Dockerfile, or a git repository: "URL[#REF[:DIRECTORY]]"
  std::string directory;   // the context is DIRECTORY/root
  std::string download;    // a path of the build's own for what is fetched
  std::string dockerfile;  // changed to where the fetched Dockerfile is
  std::shared_ptr<std::atomic<bool>> stop;
};

// A file is fetched and opened: an archive still to be extracted, or a Dockerfile. A git repository is cloned into
// place, and there is nothing to open.
Result<sys::UniqueFd> fetch_context(const RemoteContext& remote);
// What was fetched is no archive: it is the Dockerfile, and the whole context.
Result<void> use_as_dockerfile(RemoteContext& remote);

// checksum: "sha256:HEX" that the content must have, or empty. Mode 0600 and, where the server tells it, its time.
Result<void> fetch_file(const std::string& url, const std::string& path, const std::string& checksum,
                        std::shared_ptr<std::atomic<bool>> stop);

}  // namespace berth::build
