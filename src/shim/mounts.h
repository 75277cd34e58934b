// The mounts of a container, all in a mount namespace of the shim's own: nothing is ever mounted in the host's
// namespace, so nothing can be left there; with the last process of the container and the shim they vanish.
#pragma once

#include "shim/conf.h"
#include "shim/result.h"

namespace berth::shim {

// Moves this process into a mount namespace that receives the host's mounts and gives none back, unmounts conf.hide
// there and puts a small tmpfs on conf.mounts_dir.
Result<> enter_private_mounts(const Conf& conf);

// Mounts the root of the container on conf.rootfs and the sources of its binds under conf.mounts_dir/b. userns is the
// user namespace by which layers, upper directory and asked binds are idmapped (mount_setattr(2)), or -1.
// Afterwards the working directory is /.
Result<> mount_container(Conf& conf, int userns);

}  // namespace berth::shim
