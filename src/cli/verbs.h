// All verbs, each defined in the file of its family. commands.cpp puts them into the table.
#pragma once

#include "cli/command.h"

namespace berth::cli {

// run.cpp, exec.cpp, attach.cpp
extern const Command kRun, kCreate, kExec, kAttach, kStart;
// lifecycle.cpp
extern const Command kStop, kRestart, kKill, kWait, kPause, kUnpause, kRename, kRemove;
// update.cpp
extern const Command kUpdate;
// ps.cpp, logs.cpp, inspect.cpp, top.cpp, copy.cpp, stats.cpp
extern const Command kPs, kLogs, kInspect, kInspectContainer, kInspectImage, kTop, kPort, kCopy, kStats;
// images.cpp, pull.cpp, archives.cpp, bootstrap.cpp, login.cpp
extern const Command kImages, kHistory, kRemoveImage, kTag, kPull, kPush, kLoad, kSave, kImport, kBootstrap, kLogin,
    kLogout;
// build.cpp, commit.cpp
extern const Command kBuild, kCommit, kDiff, kExport;
// network.cpp, volume.cpp, prune.cpp
extern const Command kNetworkList, kNetworkCreate, kNetworkRemove, kNetworkInspect, kNetworkConnect, kNetworkDisconnect;
extern const Command kVolumeList, kVolumeCreate, kVolumeRemove, kVolumeInspect;
extern const Command kPruneContainers, kPruneImages, kPruneNetworks, kPruneVolumes;
extern const Command kPruneBuilds, kPruneSystem;
// search.cpp, disk_usage.cpp, dial_stdio.cpp, completion.cpp
extern const Command kSearch, kManifestFamily, kDiskUsage, kDialStdio, kCompletionFamily, kComplete;
// context.cpp, tls.cpp
extern const Command kContextFamily, kTlsFamily;
// absent.cpp: what Docker has and Berth has not
extern const Command kNoSwarm, kNoPlugins, kNoCheckpoints, kNoTrust;
// system.cpp, doctor.cpp, daemon.cpp
extern const Command kVersion, kInfo, kEvents, kDoctor, kEngine, kPortal;
// workspace.cpp
extern const Command kUp, kWorkspaceList, kSsh, kWorkspaceStart, kWorkspaceStop, kWorkspaceRemove;
// The short forms start, stop and rm, which first look for a workspace of that name.
extern const Command kStartAny, kStopAny, kRemoveAny;

// compose_*.cpp
extern const Command kComposeUp, kComposeDown, kComposeCreate, kComposeStart, kComposeStop, kComposeRestart,
    kComposeKill, kComposePause, kComposeUnpause, kComposeRemove, kComposeScale, kComposeWait;
extern const Command kComposePs, kComposeImages, kComposeTop, kComposePort, kComposeList, kComposeLogs, kComposeEvents;
extern const Command kComposeExec, kComposeRun, kComposeCopy, kComposeBuild, kComposePull, kComposePush, kComposeConfig,
    kComposeVersion;

}  // namespace berth::cli
