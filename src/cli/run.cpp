// run and create: make a container from an image; run starts it too, and stays attached unless told otherwise.
#include <fcntl.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/attach_session.h"
#include "cli/container_config.h"
#include "cli/output.h"
#include "cli/pull.h"
#include "cli/verbs.h"
#include "oci/reference.h"
#include "sys/file.h"

namespace berth::cli {

namespace {

struct RunOptions : ContainerOptions {
  bool detach = false;
  bool sig_proxy = true;
  bool content_trust = false;
  std::string detach_keys = std::string(kDefaultDetachKeys);
};

void declare_create(Flags& flags, ContainerOptions& options) { declare_container_flags(flags, options); }

void declare_run(Flags& flags, RunOptions& options) {
  declare_container_flags(flags, options);
  flags.add("detach,d", options.detach, "Leave it running in the background and print its id");
  flags.add("sig-proxy", options.sig_proxy, "Pass signals on to the container").defaults_to("true");
  flags.add("detach-keys", options.detach_keys, "The keys that leave the container without ending it")
      .defaults_to("ctrl-p,ctrl-q");
  flags.add("disable-content-trust", options.content_trust, "Accepted for Docker's sake: nothing is signed");
}

// Docker's client ends a failed run with what the command would have said to a shell.
int exit_code_of_start(const std::string& message) {
  for (std::string_view missing : {"executable file not found", "no such file or directory"})
    if (message.contains(missing)) return kExitNotFound;
  for (std::string_view refused : {"permission denied", "is a directory"})
    if (message.contains(refused)) return kExitCannotRun;
  return kExitFailed;
}

int report_run_error(const Context& context, const Error& error, int code = kExitFailed) {
  print_error(
      fmt::format("{}: {}\n\nRun '{} --help' for more information\n", context.program, error.text(), context.path));
  return code;
}

// The file that tells the id: made before the container, so that nothing is made when it cannot be.
class IdFile {
 public:
  static Result<IdFile> make(const std::string& path) {
    if (path.empty()) return IdFile({}, {});
    if (sys::exists(path))
      return fail(ErrorCode::conflict,
                  "container ID file found, make sure the other container isn't running or delete {}", path);
    TRY(auto fd,
        annotate(sys::open_file(path, O_WRONLY | O_CREAT | O_EXCL, 0644), "failed to create the container ID file"));
    return IdFile(path, std::move(fd));
  }
  IdFile(IdFile&&) = default;
  ~IdFile() {
    // Without an id the file would only be in the way of the next run.
    if (fd_ && !written_) ::unlink(path_.c_str());
  }
  Result<void> write(const std::string& id) {
    if (!fd_) return {};
    written_ = true;
    return sys::write_all(fd_.get(), id);
  }

 private:
  IdFile(std::string path, sys::UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  std::string path_;
  sys::UniqueFd fd_;
  bool written_ = false;
};

Result<void> pull_for(const EngineClient& engine, const ContainerOptions& options, const std::string& image) {
  PullRequest request{
      .image = image, .platform = options.platform, .quiet = options.quiet, .progress_fd = STDERR_FILENO};
  TRY(std::string name, pull_image(engine, request));
  return {};
}

// Makes the container, pulling its image when that is missing or always wanted; its id.
Result<std::string> create_container(const EngineClient& engine, const ContainerOptions& options, const Words& words,
                                     Attached attached) {
  if (options.pull != "always" && options.pull != "missing" && options.pull != "never" && !options.pull.empty())
    return fail(ErrorCode::invalid, "invalid pull option: '{}': must be one of \"always\", \"missing\" or \"never\"",
                options.pull);
  TRY(json::Value body, make_create_body(options, words, attached));
  TRY(IdFile id_file, IdFile::make(options.cidfile));
  const std::string& image = words.front();
  // What is not an id must be a reference; the daemon would say the same, later.
  bool is_id = image.size() == 64 && image.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!is_id) TRY_OK(oci::Reference::parse(image));
  if (options.pull == "always") TRY_OK(pull_for(engine, options, image));

  std::string target = "/containers/create" + query({{"name", options.name}, {"platform", options.platform}});
  auto made = engine.post(target, body);
  if (!made && options.pull == "missing" && made.error().code() == ErrorCode::not_found &&
      made.error().text().contains("No such image") && !is_id) {
    TRY(auto reference, oci::Reference::parse(image));
    if (!options.quiet)
      print_error(fmt::format("Unable to find image '{}' locally\n", reference.with_default_tag().familiar()));
    TRY_OK(pull_for(engine, options, image));
    made = engine.post(target, body);
  }
  if (!made) return std::unexpected(std::move(made).error());
  if (const json::Value* warnings = json::find(*made, "Warnings"); warnings != nullptr && warnings->is_array())
    for (const json::Value& warning : warnings->get_array())
      print_error(fmt::format("WARNING: {}\n", print_go(warning)));
  std::string id = json::string_or(*made, "Id");
  TRY_OK(id_file.write(id));
  return id;
}

Result<int> create(Context& context, const ContainerOptions& options, const Words& words) {
  TRY(auto engine, context.engine());
  TRY(std::string id, create_container(engine, options, words, attached_streams(options, false)));
  TRY_OK(print_out(id + "\n"));
  return 0;
}

Result<int> run_attached(const Context& context, const EngineClient& engine, const RunOptions& options,
                         SessionOptions session_options) {
  std::string start = fmt::format("/containers/{}/start", session_options.container);
  auto session = AttachSession::open(engine, std::move(session_options));
  if (!session) return report_run_error(context, session.error());
  if (auto started = engine.post(start); !started) {
    int code = exit_code_of_start(started.error().text());
    report_run_error(context, started.error(), code);
    // The daemon removes it; the name is free again when this command ends.
    if (options.remove) (void)session->wait_only();
    return code;
  }
  TRY(int code, session->run());
  return code == kDetached ? 0 : code;
}

Result<int> run(Context& context, const RunOptions& options, const Words& words) {
  if (options.detach && !options.attach.empty())
    return fail(ErrorCode::invalid, "conflicting options: cannot specify both --attach and --detach");
  if (options.remove && !options.restart.empty() && options.restart != "no")
    return report_run_error(context,
                            Error(ErrorCode::invalid, "conflicting options: cannot specify both --restart and --rm"));
  Attached attached = attached_streams(options, options.detach);
  TRY_OK(check_stdin_is_terminal(options.tty, attached.in));
  TRY(auto engine, context.engine());
  auto id = create_container(engine, options, words, attached);
  if (!id) return report_run_error(context, id.error());
  if (attached.in || attached.out || attached.err) {
    SessionOptions session{.container = *id,
                           .tty = options.tty,
                           .streams = attached,
                           .detach_keys = options.detach_keys,
                           .forward_signals = options.sig_proxy,
                           .wait_condition = options.remove ? "removed" : "next-exit"};
    return run_attached(context, engine, options, std::move(session));
  }
  if (auto started = engine.post(fmt::format("/containers/{}/start", *id)); !started)
    return report_run_error(context, started.error(), exit_code_of_start(started.error().text()));
  TRY_OK(print_out(*id + "\n"));
  return 0;
}

}  // namespace

constexpr Command kRun = command<declare_run, run>({
    .usage = "[OPTIONS] IMAGE [COMMAND] [ARG...]",
    .summary = "Create a container from an image and run it",
    .arity = kSomeWords,
    .examples = "run --rm debian:bookworm cat /etc/os-release\nrun -it --rm debian:bookworm bash\n"
                "run -d --name web -p 8080:80 -v data:/srv -m 512m nginx",
    .aliases = "container run, run",
    .words_are_foreign = true,
});

constexpr Command kCreate = command<declare_create, create>({
    .usage = "[OPTIONS] IMAGE [COMMAND] [ARG...]",
    .summary = "Create a container without starting it",
    .arity = kSomeWords,
    .examples = "create --name web -p 8080:80 nginx",
    .aliases = "container create, create",
    .words_are_foreign = true,
});

}  // namespace berth::cli
