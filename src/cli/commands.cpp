// The table of verbs: the names by which they are called and where --help lists them.
#include "cli/verbs.h"

namespace berth::cli {

namespace {

constexpr CommandEntry kTopCommands[] = {
    {"run", &kRun, Group::common},
    {"exec", &kExec, Group::common},
    {"ps", &kPs, Group::common},
    {"pull", &kPull, Group::common},
    {"push", &kPush, Group::common},
    {"images", &kImages, Group::common},
    {"login", &kLogin, Group::common},
    {"logout", &kLogout, Group::common},

    {"attach", &kAttach, Group::containers},
    {"create", &kCreate, Group::containers},
    {"kill", &kKill, Group::containers},
    {"logs", &kLogs, Group::containers},
    {"pause", &kPause, Group::containers},
    {"rename", &kRename, Group::containers},
    {"restart", &kRestart, Group::containers},
    {"rm", &kRemove, Group::containers},
    {"start", &kStart, Group::containers},
    {"stop", &kStop, Group::containers},
    {"unpause", &kUnpause, Group::containers},
    {"wait", &kWait, Group::containers},

    {"history", &kHistory, Group::images},
    {"rmi", &kRemoveImage, Group::images},
    {"tag", &kTag, Group::images},
};

}  // namespace

std::span<const CommandEntry> top_commands() { return kTopCommands; }

}  // namespace berth::cli
