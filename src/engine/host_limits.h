// What the kernel of this host cannot limit: such wishes are taken out of a spec before it is kept, and told.
//
// Source: the behaviour and the words of Docker's daemon, whose "Warnings" of create these are.
#pragma once

#include <string>
#include <vector>

#include "engine/cgroup.h"
#include "engine/spec.h"

namespace berth::engine {

// The warnings, in the order of the fields; reads the root of the cgroup file systems.
std::vector<std::string> adapt_to_host(ContainerSpec& spec, const CgroupLayout& layout);
// invalid for what cannot be taken out silently: real-time quotas where the kernel has none.
Result<void> check_against_host(const ContainerSpec& spec, const CgroupLayout& layout);

}  // namespace berth::engine
