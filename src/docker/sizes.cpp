#include "docker/sizes.h"

#include "fs/tree.h"
#include "oci/digest.h"

namespace berth::docker {

async::Task<Result<ContainerSize>> measure(Api& api, std::shared_ptr<engine::Container> container) {
  std::string upper = container->upper_dir() + "/diff";
  CO_TRY(fs::TreeSize tree, co_await api.loop().blocking([upper] { return fs::measure_tree(upper); }));
  ContainerSize size{.writable = tree.bytes, .root = tree.bytes};
  if (auto image = api.images().find(container->spec().image_id)) size.root += (*image)->size;
  co_return size;
}

}  // namespace berth::docker
