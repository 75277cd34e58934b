#include "shim/mounts.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "shim/fd.h"

namespace berth::shim {

namespace {

// A mount(2) takes a page of options; the layers' paths in it are as short as can be.
constexpr std::size_t kMaxMountOptions = 4095;

Buffer file_system_name(const Buffer& path) {
  struct Known {
    long magic;
    const char* name;
  };
  static constexpr Known kKnown[] = {{0x01021994, "tmpfs"}, {0x794c7630, "overlay"}, {0x6969, "nfs"},
                                     {0x65735546, "fuse"},  {0x9123683e, "btrfs"},   {0xef53, "ext4"},
                                     {0x58465342, "xfs"},   {0x2fc12fc1, "zfs"},     {0x01021997, "9p"},
                                     {0x9fa0, "proc"},      {0x62656572, "sysfs"},   {0x6a656a63, "virtiofs"}};
  Buffer copy = concat(path);
  struct statfs status;
  if (statfs(copy.c_str(), &status) != 0) return concat("unknown");
  for (const Known& known : kKnown) {
    if (known.magic == status.f_type) return concat(known.name);
  }
  return concat("type ", static_cast<long>(status.f_type));
}

std::unexpected<Error> explain_setattr(int error, const Buffer& source, bool idmap) {
  if (!idmap || (error != EINVAL && error != EPERM)) return fail(error, "set the attributes of the mount of ", source);
  Buffer what = error == EINVAL ? concat("the file system of ", source, " (", file_system_name(source),
                                         ") cannot be idmapped by ", "this kernel")
                                : concat("the mount of ", source, " is idmapped already or not this user's to idmap");
  return fail(error, what, "; keep it on ext4, xfs or btrfs, or run the container with --userns=host");
}

// A detached copy of the mount at source, with everything below it if recursive.
Result<Fd> clone_mount(Buffer& source, int userns, bool read_only, bool recursive) {
  const unsigned depth = recursive ? AT_RECURSIVE : 0;
  Fd tree(
      static_cast<int>(syscall(SYS_open_tree, AT_FDCWD, source.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | depth)));
  if (!tree.valid()) return fail(errno, "open ", source, " for a mount");
  mount_attr attributes{};
  if (read_only) attributes.attr_set |= MOUNT_ATTR_RDONLY;
  if (userns >= 0) {
    attributes.attr_set |= MOUNT_ATTR_IDMAP;
    attributes.userns_fd = static_cast<std::uint64_t>(userns);
  }
  if (attributes.attr_set == 0) return tree;
  if (syscall(SYS_mount_setattr, tree.get(), "", AT_EMPTY_PATH | depth, &attributes, sizeof attributes) != 0) {
    return explain_setattr(errno, source, userns >= 0);
  }
  return tree;
}

Result<> attach(const Fd& tree, Buffer& target) {
  if (syscall(SYS_move_mount, tree.get(), "", AT_FDCWD, target.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    return fail(errno, "mount on ", target);
  }
  return {};
}

Result<> make_directory(Buffer& path) {
  if (mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) return fail(errno, "make ", path);
  return {};
}

// A mount of source at target, which is made: a directory for a directory, else a file.
Result<> clone_to(Buffer& source, Buffer& target, int userns, bool read_only, bool recursive) {
  Result<Fd> tree = clone_mount(source, userns, read_only, recursive);
  if (!tree) return std::unexpected(std::move(tree).error());
  struct stat status;
  if (fstat(tree->get(), &status) != 0) return fail(errno, "look at ", source);
  if (S_ISDIR(status.st_mode)) {
    SHIM_TRY(make_directory(target));
  } else if (mknod(target.c_str(), S_IFREG | 0644, 0) != 0) {
    return fail(errno, "make ", target);
  }
  return attach(*tree, target);
}

// While it exists this process touches files as the root of a container's user namespace, with all of its own
// capabilities: the id under which an overlay of idmapped layers must be mounted, because the overlay works in its
// upper directory with the ids of who mounted it, and the host's root has no id there (it would come up read-only).
class FileIds {
 public:
  explicit FileIds(std::uint32_t id) {
    __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
    syscall(SYS_capget, &head, sets);
    setfsgid(id);
    setfsuid(id);  // takes the capabilities over files out of the effective set
    syscall(SYS_capset, &head, sets);
  }
  FileIds(const FileIds&) = delete;
  FileIds& operator=(const FileIds&) = delete;
  ~FileIds() {
    setfsuid(geteuid());
    setfsgid(getegid());
  }
};

// What a volatile mount has left under u/work; while it is there the kernel refuses the next one
// (Documentation/filesystems/overlayfs.rst, "Volatile mount").
void clear_volatile_mark() {
  unlink("u/work/work/incompat/volatile/dirty");
  rmdir("u/work/work/incompat/volatile");
  rmdir("u/work/work/incompat");
}

// The working directory is mounts_dir; the layers are at l/0, l/1, ... and the upper directory at u.
Result<> mount_overlay(Conf& conf, std::size_t layers) {
  // volatile: without it the end of every container would sync the whole file system under it.
  Buffer options =
      concat("volatile,upperdir=u/diff,workdir=u/work,index=off,metacopy=off,redirect_dir=nofollow,lowerdir=");
  clear_volatile_mark();
  for (std::size_t i = 0; i < layers; ++i) options.append(i == 0 ? "l/" : ":l/").append(i);
  if (options.size() > kMaxMountOptions) return fail(0, "the image has ", layers, " layers, more than one mount takes");
  // Device nodes of an image are of no use to a container that may not make them; its /dev is another mount.
  const unsigned long flags = conf.userns_size != 0 ? MS_NODEV : 0;
  {
    const FileIds ids(conf.userns_base);
    if (mount("overlay", conf.rootfs.c_str(), "overlay", flags, options.c_str()) != 0) {
      return fail(errno, "mount the overlay of ", layers, " layers under ", conf.upper_dir, " on ", conf.rootfs);
    }
  }
  // An overlay that cannot use its upper directory comes up read-only, without an error.
  struct statvfs status;
  if (statvfs(conf.rootfs.c_str(), &status) != 0) return fail(errno, "look at ", conf.rootfs);
  if ((status.f_flag & ST_RDONLY) != 0) return fail(EROFS, "mount the overlay with upper directory ", conf.upper_dir);
  return {};
}

// The overlay keeps hold of the layers itself, so their mounts go again.
Result<> mount_layers(Conf& conf, int userns) {
  Buffer layers_dir = concat("l");
  SHIM_TRY(make_directory(layers_dir));
  std::size_t layers = 0;
  for (PathItem& lower : conf.lower) {
    Buffer target = concat("l/", layers);
    SHIM_TRY(clone_to(lower.path, target, userns, true, false));
    ++layers;
  }
  Buffer upper = concat("u");
  SHIM_TRY(clone_to(conf.upper_dir, upper, userns, false, false));
  SHIM_TRY(mount_overlay(conf, layers));
  umount2("u", MNT_DETACH);
  for (std::size_t i = 0; i < layers; ++i) {
    Buffer target = concat("l/", i);
    umount2(target.c_str(), MNT_DETACH);
  }
  return {};
}

// Without layers the upper directory is the root itself.
Result<> mount_plain_root(Conf& conf, int userns) {
  Buffer source = concat(conf.upper_dir, "/diff");
  Result<Fd> tree = clone_mount(source, userns, false, false);
  if (!tree) return std::unexpected(std::move(tree).error());
  return attach(*tree, conf.rootfs);
}

// While it exists this process looks paths up in another mount namespace (setns(2)).
class MountNamespace {
 public:
  Result<> enter(Buffer& path) {
    own_ = Fd(open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
    const Fd other(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!own_.valid() || !other.valid()) return fail(errno, "open ", path);
    if (setns(other.get(), CLONE_NEWNS) != 0) return fail(errno, "enter ", path);
    entered_ = true;
    return {};
  }
  Result<> leave(Conf& conf) {
    if (!std::exchange(entered_, false)) return {};
    if (setns(own_.get(), CLONE_NEWNS) != 0) return fail(errno, "leave a mount namespace");
    // setns(2) has put the working directory to the root.
    if (chdir(conf.mounts_dir.c_str()) != 0) return fail(errno, "enter ", conf.mounts_dir);
    return {};
  }

 private:
  Fd own_;
  bool entered_ = false;
};

// A tmpfs of another container: what is mounted there can be cloned only from inside.
Result<> clone_from(Bind& bind, Buffer& target, Conf& conf) {
  MountNamespace there;
  SHIM_TRY(there.enter(bind.mount_namespace));
  Result<Fd> tree = clone_mount(bind.source, -1, bind.read_only, bind.recursive);
  SHIM_TRY(there.leave(conf));
  if (!tree) return std::unexpected(std::move(tree).error());
  SHIM_TRY(make_directory(target));
  return attach(*tree, target);
}

// What containers have put into source is looked up as if source were the root: a link there leads nowhere else.
Result<Fd> open_inside(Bind& bind) {
  const Fd root(open(bind.source.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) return fail(errno, "open ", bind.source);
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  Fd inside(static_cast<int>(syscall(SYS_openat2, root.get(), bind.subpath.c_str(), &how, sizeof how)));
  if (!inside.valid()) return fail(errno, "open ", bind.subpath, " in ", bind.source);
  return inside;
}

Result<> mount_binds(Conf& conf, int userns) {
  Buffer binds_dir = concat("b");
  SHIM_TRY(make_directory(binds_dir));
  std::size_t number = 0;
  for (Bind& bind : conf.binds) {
    Buffer target = concat("b/", number++);
    if (!bind.mount_namespace.empty()) {
      SHIM_TRY(clone_from(bind, target, conf));
      continue;
    }
    Fd inside;
    Buffer source = concat(bind.source);
    if (!bind.subpath.empty()) {
      Result<Fd> opened = open_inside(bind);
      if (!opened) return std::unexpected(std::move(opened).error());
      inside = std::move(*opened);
      source = concat("/proc/self/fd/", inside.get());
    }
    SHIM_TRY(clone_to(source, target, bind.idmap ? userns : -1, bind.read_only, bind.recursive));
  }
  return {};
}

}  // namespace

Result<> enter_private_mounts(const Conf& conf) {
  if (unshare(CLONE_NEWNS) != 0) return fail(errno, "make a mount namespace");
  if (mount(nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr) != 0)
    return fail(errno, "detach from the host's mounts");
  for (PathItem& hidden : conf.hide) {
    if (umount2(hidden.path.c_str(), MNT_DETACH) != 0 && errno != EINVAL && errno != ENOENT) {
      return fail(errno, "hide ", hidden.path);
    }
  }
  Buffer directory = concat(conf.mounts_dir);
  // 0711: the runtime passes through as root of the container's user namespace, a stranger here.
  if (mount("berth", directory.c_str(), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=1m,mode=0711") != 0) {
    return fail(errno, "mount a tmpfs on ", directory);
  }
  return {};
}

Result<> mount_container(Conf& conf, int userns) {
  if (chdir(conf.mounts_dir.c_str()) != 0) return fail(errno, "enter ", conf.mounts_dir);
  SHIM_TRY(conf.lower.empty() ? mount_plain_root(conf, userns) : mount_layers(conf, userns));
  SHIM_TRY(mount_binds(conf, userns));
  if (chdir("/") != 0) return fail(errno, "enter /");
  return {};
}

}  // namespace berth::shim
