// Named places where a test can make the process die as by kill -9: BERTH_CRASH_AT=create.spec-written berth-engine ...
//
// The list is complete: a name that is not in it aborts in every build, so the crash suite cannot miss a place.
#pragma once

#include <array>
#include <string_view>

namespace berth {

inline constexpr std::array kCrashPoints = {
    std::string_view("create.directory-made"),
    std::string_view("create.spec-written"),
    std::string_view("create.volumes-made"),
    std::string_view("create.done"),
    std::string_view("start.state-written"),
    std::string_view("start.shim-spawned"),
    std::string_view("start.network-attached"),
    std::string_view("start.running"),
    std::string_view("start.done"),
    std::string_view("exec.before-shim"),
    std::string_view("exec.started"),
    std::string_view("stop.signalled"),
    std::string_view("exit.noticed"),
    std::string_view("exit.resources-released"),
    std::string_view("exit.state-written"),
    std::string_view("remove.state-written"),
    std::string_view("remove.layer-removed"),
    std::string_view("remove.done"),
    std::string_view("pull.manifest-read"),
    std::string_view("pull.stage-made"),
    std::string_view("pull.layer-downloaded"),
    std::string_view("pull.layer-extracted"),
    std::string_view("pull.layers-staged"),
    std::string_view("pull.done"),
    std::string_view("image.layers-activated"),
    std::string_view("image.config-written"),
    std::string_view("image.catalog-written"),
    std::string_view("workspace.volume-made"),
    std::string_view("workspace.volumes-made"),
    std::string_view("workspace.created"),
    std::string_view("workspace.announced"),
    std::string_view("workspace.old-removed"),
    std::string_view("workspace.new-created"),
    std::string_view("workspace.replaced"),
    std::string_view("workspace.container-removed"),
    std::string_view("workspace.home-removed"),
    std::string_view("workspace.data-removed"),
};

// Dies if the environment asks for this point.
void crash_point(std::string_view name);

}  // namespace berth
