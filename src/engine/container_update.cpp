// Changing the limits and the restart policy of a container that exists, running or not.
#include "base/crash_point.h"
#include "engine/container.h"
#include "engine/defaults.h"
#include "engine/engine.h"

namespace berth::engine {

namespace {

// Members that say nothing leave what is there.
template <class T>
void take(const T& from, T& to) {
  if (from != T{}) to = from;
}

Result<void> merge(const UpdateRequest& request, ResourceSpec& limits) {
  const ResourceSpec& wanted = request.resources;
  bool quota = limits.cpu_quota != 0 || limits.cpu_period != 0;
  if (wanted.nano_cpus != 0 && quota)
    return fail(ErrorCode::conflict,
                "Conflicting options: Nano CPUs cannot be updated as CPU Period/Quota has already "
                "been set");
  if ((wanted.cpu_quota != 0 || wanted.cpu_period != 0) && limits.nano_cpus != 0)
    return fail(ErrorCode::conflict,
                "Conflicting options: CPU Period/Quota cannot be updated as NanoCPUs has already been set");
  // Memory alone may not grow over what memory and swap together have.
  if (wanted.memory > 0 && wanted.memory_swap == 0 && limits.memory_swap > 0 && wanted.memory > limits.memory_swap)
    return fail(ErrorCode::conflict,
                "Memory limit should be smaller than already set memoryswap limit, update the "
                "memoryswap at the same time");
  for (auto member : {&ResourceSpec::memory, &ResourceSpec::memory_swap, &ResourceSpec::memory_reservation,
                      &ResourceSpec::nano_cpus, &ResourceSpec::cpu_shares, &ResourceSpec::cpu_period,
                      &ResourceSpec::cpu_quota, &ResourceSpec::cpu_rt_period, &ResourceSpec::cpu_rt_runtime})
    take(wanted.*member, limits.*member);
  take(wanted.cpuset_cpus, limits.cpuset_cpus);
  take(wanted.cpuset_mems, limits.cpuset_mems);
  take(wanted.blkio_weight, limits.blkio_weight);
  if (request.pids_limit) limits.pids_limit = *request.pids_limit;
  return {};
}

}  // namespace

async::Task<Result<void>> Container::update(UpdateRequest request) {
  auto self = shared_from_this();
  auto turn = co_await queue_.lock();
  if (removed_) co_return fail(ErrorCode::not_found, "No such container: {}", id());
  if (request.restart) {
    CO_TRY_OK(check_restart(*request.restart));
    if (spec_.auto_remove && request.restart->name != "no" && !request.restart->name.empty())
      co_return fail(ErrorCode::invalid,
                     "Restart policy cannot be updated because AutoRemove is enabled for the "
                     "container");
  }
  ContainerSpec before = spec_;
  CO_TRY_OK(merge(request, spec_.resources));
  if (auto good = check_resources(spec_.resources); !good) {
    spec_ = std::move(before);
    co_return good;
  }
  if (request.restart) spec_.restart = *request.restart;
  if (auto saved = save_spec(); !saved) {
    spec_ = std::move(before);
    co_return saved;
  }
  crash_point("update.spec-written");
  if (running()) {
    ResourceSpec limits = spec_.resources;
    if (request.pids_limit && limits.pids_limit == 0) limits.pids_limit = -1;
    Cgroup group = cgroup();
    auto set = co_await engine_.parts_.loop.blocking([group, limits] { return group.set_limits(limits); });
    if (!set) {
      // What the kernel refuses is not what this container has.
      spec_.resources = before.resources;
      CO_TRY_OK(save_spec());
      co_return annotate(std::move(set), "Cannot update container {}", id());
    }
  }
  crash_point("update.limits-set");
  publish("update");
  co_return Result<void>();
}

}  // namespace berth::engine
