// Events of what a client did to a container without changing its state: top, cp.
#pragma once

#include "docker/api.h"

namespace berth::docker {

inline void publish_container_event(Api& api, const engine::Container& container, std::string action) {
  engine::EventRecord event{"container", std::move(action), container.id(), container.spec().labels, {}};
  event.attributes["image"] = container.spec().image;
  event.attributes["name"] = container.spec().name;
  api.engine.events().publish(std::move(event));
}

}  // namespace berth::docker
