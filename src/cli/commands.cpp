// The table of verbs: the names by which they are called and where --help lists them.
#include "cli/compose_project.h"
#include "cli/verbs.h"

namespace berth::cli {

namespace {

constexpr CommandEntry kContainerCommands[] = {
    {"attach", &kAttach},
    {"commit", &kCommit},
    {"cp", &kCopy},
    {"create", &kCreate},
    {"diff", &kDiff},
    {"exec", &kExec},
    {"export", &kExport},
    {"inspect", &kInspectContainer},
    {"kill", &kKill},
    {"logs", &kLogs},
    {"ls", &kPs},
    {"list", &kPs, Group::hidden},
    {"ps", &kPs, Group::hidden},
    {"pause", &kPause},
    {"port", &kPort},
    {"prune", &kPruneContainers},
    {"rename", &kRename},
    {"restart", &kRestart},
    {"rm", &kRemove},
    {"remove", &kRemove, Group::hidden},
    {"run", &kRun},
    {"start", &kStart},
    {"stats", &kStats},
    {"stop", &kStop},
    {"top", &kTop},
    {"unpause", &kUnpause},
    {"update", &kUpdate},
    {"wait", &kWait},
};

constexpr CommandEntry kImageCommands[] = {
    {"bootstrap", &kBootstrap},
    {"build", &kBuild},
    {"history", &kHistory},
    {"import", &kImport},
    {"inspect", &kInspectImage},
    {"load", &kLoad},
    {"ls", &kImages},
    {"list", &kImages, Group::hidden},
    {"prune", &kPruneImages},
    {"pull", &kPull},
    {"push", &kPush},
    {"rm", &kRemoveImage},
    {"remove", &kRemoveImage, Group::hidden},
    {"save", &kSave},
    {"tag", &kTag},
};

constexpr CommandEntry kNetworkCommands[] = {
    {"connect", &kNetworkConnect}, {"create", &kNetworkCreate}, {"disconnect", &kNetworkDisconnect},
    {"inspect", &kNetworkInspect}, {"ls", &kNetworkList},       {"list", &kNetworkList, Group::hidden},
    {"prune", &kPruneNetworks},    {"rm", &kNetworkRemove},     {"remove", &kNetworkRemove, Group::hidden},
};

constexpr CommandEntry kVolumeCommands[] = {
    {"create", &kVolumeCreate},
    {"inspect", &kVolumeInspect},
    {"ls", &kVolumeList},
    {"list", &kVolumeList, Group::hidden},
    {"prune", &kPruneVolumes},
    {"rm", &kVolumeRemove},
    {"remove", &kVolumeRemove, Group::hidden},
};

constexpr CommandEntry kSystemCommands[] = {{"df", &kDiskUsage},
                                            {"dial-stdio", &kDialStdio, Group::hidden},
                                            {"events", &kEvents},
                                            {"info", &kInfo},
                                            {"prune", &kPruneSystem}};

constexpr CommandEntry kBuilderCommands[] = {{"prune", &kPruneBuilds}};

constexpr CommandEntry kWorkspaceCommands[] = {
    {"ls", &kWorkspaceList},
    {"list", &kWorkspaceList, Group::hidden},
    {"rm", &kWorkspaceRemove},
    {"remove", &kWorkspaceRemove, Group::hidden},
    {"ssh", &kSsh},
    {"start", &kWorkspaceStart},
    {"stop", &kWorkspaceStop},
    {"up", &kUp},
};

constexpr CommandEntry kComposeCommands[] = {
    {"build", &kComposeBuild},     {"config", &kComposeConfig}, {"convert", &kComposeConfig, Group::hidden},
    {"cp", &kComposeCopy},         {"create", &kComposeCreate}, {"down", &kComposeDown},
    {"events", &kComposeEvents},   {"exec", &kComposeExec},     {"images", &kComposeImages},
    {"kill", &kComposeKill},       {"logs", &kComposeLogs},     {"ls", &kComposeList},
    {"pause", &kComposePause},     {"port", &kComposePort},     {"ps", &kComposePs},
    {"pull", &kComposePull},       {"push", &kComposePush},     {"restart", &kComposeRestart},
    {"rm", &kComposeRemove},       {"run", &kComposeRun},       {"scale", &kComposeScale},
    {"start", &kComposeStart},     {"stop", &kComposeStop},     {"top", &kComposeTop},
    {"unpause", &kComposeUnpause}, {"up", &kComposeUp},         {"version", &kComposeVersion},
    {"wait", &kComposeWait},
};

constexpr Command family(std::string_view summary, std::span<const CommandEntry> children) {
  return {.usage = "", .summary = summary, .arity = kAnyWords, .children = children};
}

constexpr Command kContainerFamily = family("Manage containers", kContainerCommands);
constexpr Command kImageFamily = family("Manage images", kImageCommands);
constexpr Command kNetworkFamily = family("Manage networks", kNetworkCommands);
constexpr Command kVolumeFamily = family("Manage volumes", kVolumeCommands);
constexpr Command kSystemFamily = family("Manage the engine", kSystemCommands);
constexpr Command kComposeFamily = {.usage = "[OPTIONS] COMMAND",
                                    .summary = "Define and run applications of several containers",
                                    .arity = kAnyWords,
                                    .children = kComposeCommands,
                                    .family_flags = declare_project_flags};
constexpr Command kBuilderFamily = family("Manage builds", kBuilderCommands);
constexpr Command kWorkspaceFamily = family("Manage workspaces", kWorkspaceCommands);

constexpr CommandEntry kTopCommands[] = {
    {"run", &kRun, Group::common},
    {"exec", &kExec, Group::common},
    {"ps", &kPs, Group::common},
    {"build", &kBuild, Group::common},
    {"pull", &kPull, Group::common},
    {"push", &kPush, Group::common},
    {"images", &kImages, Group::common},
    {"login", &kLogin, Group::common},
    {"logout", &kLogout, Group::common},
    {"search", &kSearch, Group::common},
    {"version", &kVersion, Group::common},
    {"info", &kInfo, Group::common},

    {"up", &kUp, Group::workspaces},
    {"ls", &kWorkspaceList, Group::workspaces},
    {"ssh", &kSsh, Group::workspaces},
    {"start", &kStartAny, Group::workspaces},
    {"stop", &kStopAny, Group::workspaces},
    {"rm", &kRemoveAny, Group::workspaces},

    {"builder", &kBuilderFamily, Group::management},
    {"compose", &kComposeFamily, Group::management},
    {"container", &kContainerFamily, Group::management},
    {"context", &kContextFamily, Group::management},
    {"image", &kImageFamily, Group::management},
    {"manifest", &kManifestFamily, Group::management},
    {"network", &kNetworkFamily, Group::management},
    {"system", &kSystemFamily, Group::management},
    {"tls", &kTlsFamily, Group::management},
    {"volume", &kVolumeFamily, Group::management},
    {"workspace", &kWorkspaceFamily, Group::management},

    {"attach", &kAttach, Group::containers},
    {"commit", &kCommit, Group::containers},
    {"cp", &kCopy, Group::containers},
    {"create", &kCreate, Group::containers},
    {"diff", &kDiff, Group::containers},
    {"export", &kExport, Group::containers},
    {"inspect", &kInspect, Group::containers},
    {"kill", &kKill, Group::containers},
    {"logs", &kLogs, Group::containers},
    {"pause", &kPause, Group::containers},
    {"port", &kPort, Group::containers},
    {"rename", &kRename, Group::containers},
    {"restart", &kRestart, Group::containers},
    {"stats", &kStats, Group::containers},
    {"top", &kTop, Group::containers},
    {"unpause", &kUnpause, Group::containers},
    {"update", &kUpdate, Group::containers},
    {"wait", &kWait, Group::containers},

    {"history", &kHistory, Group::images},
    {"import", &kImport, Group::images},
    {"load", &kLoad, Group::images},
    {"rmi", &kRemoveImage, Group::images},
    {"save", &kSave, Group::images},
    {"tag", &kTag, Group::images},

    {"completion", &kCompletionFamily, Group::system},
    {"doctor", &kDoctor, Group::system},
    {"engine", &kEngine, Group::system},
    {"events", &kEvents, Group::system},
    {"portal", &kPortal, Group::system},

    {"__complete", &kComplete, Group::hidden},
    {"checkpoint", &kNoCheckpoints, Group::hidden},
    {"config", &kNoSwarm, Group::hidden},
    {"node", &kNoSwarm, Group::hidden},
    {"plugin", &kNoPlugins, Group::hidden},
    {"secret", &kNoSwarm, Group::hidden},
    {"service", &kNoSwarm, Group::hidden},
    {"stack", &kNoSwarm, Group::hidden},
    {"swarm", &kNoSwarm, Group::hidden},
    {"trust", &kNoTrust, Group::hidden},
};

}  // namespace

std::span<const CommandEntry> top_commands() { return kTopCommands; }

}  // namespace berth::cli
