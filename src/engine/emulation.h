// Programs of other architectures: whether the kernel hands them to an emulator such as qemu-user.
//
// The handlers are binfmt_misc's (the kernel's Documentation/admin-guide/binfmt-misc.rst). Only those with the flag F
// count: their interpreter was opened when they were registered, so it works in a container that does not have it.
// Architectures have their OCI names (GOARCH): amd64, arm64. Thread: any; reads a few small files.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "base/error.h"

namespace berth::engine {

// Of this host's kernel: amd64 runs 386 too, arm64 mostly arm.
bool runs_natively(std::string_view architecture);

// Those with a handler, of the architectures that images are made for. handlers: where binfmt_misc is mounted; empty:
// wherever the kernel has them, mounted or not.
std::set<std::string> emulated_architectures(const std::string& handlers = {});

// What to tell somebody who wants to run such an image here: nothing when it will run, else the package to install.
std::string emulation_advice(std::string_view architecture);

}  // namespace berth::engine
