// What an engine may ask: one function for each verb.
#include <errno.h>
#include <string.h>

#include "shim/shim.h"

namespace berth::shim {

struct Shim::Request {
  const Requester& requester;
  std::string_view message;
  ReceivedFds& fds;

  std::string_view value(std::string_view key) const { return find_value(message, key); }
  bool flag(std::string_view key) const { return value(key) == "1"; }
  std::uint16_t size(std::string_view key) const { return static_cast<std::uint16_t>(to_number(value(key))); }
};

// A verb that says true answers for itself, now or later; for the others success is "ok".
struct Shim::Verb {
  std::string_view name;
  Result<> (Shim::*run)(const Request&);
  bool answers_itself = false;
};

const Shim::Verb Shim::kVerbs[] = {
    {verb::kStart, &Shim::on_start, true},      {verb::kNetworkReady, &Shim::on_network_ready, true},
    {verb::kAttach, &Shim::on_attach},          {verb::kResize, &Shim::on_resize},
    {verb::kCloseStdin, &Shim::on_close_stdin}, {verb::kSignal, &Shim::on_signal},
    {verb::kStatus, &Shim::on_status, true},    {verb::kExec, &Shim::on_exec, true},
    {verb::kShutdown, &Shim::on_shutdown},
};

namespace {

// Bytes that hold anything, NUL too, travel as hexadecimal digits; what is none ends them.
Buffer bytes_of_hex(std::string_view digits) {
  const auto value = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; };
  Buffer bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    const int high = value(digits[i]), low = value(digits[i + 1]);
    if (high < 0 || low < 0) break;
    bytes.append_byte(static_cast<char>(high * 16 + low));
  }
  return bytes;
}

StreamWishes wishes_of(std::string_view message) {
  const auto flag = [&](std::string_view key) { return find_value(message, key) == "1"; };
  return {.input = flag("stdin"),
          .outputs = {flag("stdout"), flag("stderr")},
          .framed = flag("framed"),
          .detach_keys = bytes_of_hex(find_value(message, "detach_keys_hex"))};
}

// A stream, after what its peer has sent before it came here.
void add_stream(ProcessIo& io, Fd socket, StreamWishes wishes, std::string_view message) {
  const Buffer sent = bytes_of_hex(find_value(message, "already_read_hex"));
  if (wishes.input && !sent.empty()) io.put_input(sent.view());
  io.add_stream(std::move(socket), std::move(wishes));
}

std::unexpected<Error> refuse(int errno_value, std::string_view why) {
  return std::unexpected(Error{errno_value, concat(why)});
}

}  // namespace

void Shim::on_request(const Requester& requester, std::string_view message, ReceivedFds& fds) {
  std::string_view rest = message;
  Field name;
  if (!take_field(rest, name)) {
    return reply_error(requester, Error{EPROTO, concat("a request must be NUL-terminated fields")});
  }
  for (const Verb& verb : kVerbs) {
    if (verb.name != name.key) continue;
    const Result<> done = (this->*verb.run)({requester, message, fds});
    if (!done) return reply_error(requester, done.error());
    if (!verb.answers_itself) reply_ok(requester);
    return;
  }
  reply_error(requester, Error{ENOSYS, concat("unknown request ", name.key)});
}

Result<> Shim::on_start(const Request& request) {
  if (state_ != State::kCreated) return refuse(EALREADY, "the container has been started before");
  if (Result<> prepared = prepare(request.requester); !prepared) {
    fail_start("mount", std::move(prepared).error());
    return {};
  }
  state_ = State::kNetwork;
  if (!conf_.private_netns) launch();
  return {};
}

Result<> Shim::on_network_ready(const Request& request) {
  if (state_ != State::kNetwork) return refuse(EINVAL, "the container does not wait for its network");
  reply_ok(request.requester);
  launch();
  return {};
}

// The container, or the exec that the request names.
Result<Held*> Shim::find_held(const Request& request) {
  const std::string_view id = request.value("exec");
  if (id.data() == nullptr) return &container_;
  Exec* exec = execs_.find_if([&](const Exec& one) { return one.id.view() == id; });
  if (exec == nullptr) return refuse(ENOENT, "no such exec runs");
  return exec;
}

Result<> Shim::on_attach(const Request& request) {
  Result<Held*> held = find_held(request);
  if (!held) return std::unexpected(std::move(held).error());
  if ((*held)->ended) return refuse(ESRCH, "the process has ended");
  if (request.fds.count != 1) return refuse(EBADF, "attach takes one stream socket");
  add_stream((*held)->io, std::move(request.fds.fds[0]), wishes_of(request.message), request.message);
  return {};
}

Result<> Shim::on_resize(const Request& request) {
  Result<Held*> held = find_held(request);
  if (!held) return std::unexpected(std::move(held).error());
  (*held)->io.resize(request.size("rows"), request.size("cols"));
  return {};
}

Result<> Shim::on_close_stdin(const Request& request) {
  Result<Held*> held = find_held(request);
  if (!held) return std::unexpected(std::move(held).error());
  (*held)->io.close_input();
  return {};
}

Result<> Shim::on_signal(const Request& request) {
  Result<Held*> held = find_held(request);
  if (!held) return std::unexpected(std::move(held).error());
  if (!is_live(**held)) return refuse(ESRCH, "the process does not run");
  const int number = static_cast<int>(to_number(request.value("signal")));
  if (number <= 0 || kill((*held)->pid, number) != 0) {
    return fail(number <= 0 ? EINVAL : errno, "send signal ", number);
  }
  return {};
}

Result<> Shim::on_status(const Request& request) {
  Buffer message;
  add_verb(message, verb::kOk);
  add_field(message, "seq", request.requester.sequence);
  add_field(message, "state", state_name(state_));
  add_field(message, "running", state_ == State::kRunning ? 1 : 0);
  add_field(message, "pid", container_.pid > 0 ? container_.pid : 0);
  add_field(message, "start_time", container_.start_time);
  if (container_.ended) add_field(message, "code", container_.code);
  for (const Exec& exec : execs_) {
    if (is_live(exec) && message.size() < kMaxDatagram - 2 * kMaxExecId) {
      add_field(message, "exec", concat(exec.id, ":", exec.pid));
    }
  }
  control_.send(request.requester.connection, message);
  return {};
}

Result<> Shim::on_exec(const Request& request) {
  if (state_ != State::kRunning) return refuse(ESRCH, "the container does not run");
  const std::string_view id = request.value("id");
  if (!is_exec_id(id) || request.value("process").empty()) return refuse(EINVAL, "exec needs an id and a process file");
  if (execs_.find_if([&](const Exec& one) { return one.id.view() == id; }) != nullptr) {
    return refuse(EEXIST, "an exec with this id runs");
  }
  Exec* exec = execs_.add(new Exec);
  exec->id = concat(id);
  exec->starter = request.requester;
  Result<> started = start_exec(request, *exec);
  if (started) return started;
  exec->io.leave_streams();
  execs_.remove_if([&](const Exec& one) { return &one == exec; });
  return started;
}

Result<> Shim::start_exec(const Request& request, Exec& exec) {
  const bool tty = request.flag("tty");
  ReceivedFds& fds = request.fds;
  exec.direct = request.value("stdio") == "direct";
  exec.io.configure(nullptr, true);
  exec.io.resize(request.size("rows"), request.size("cols"));
  ProcessIo::ChildEnds ends;
  if (exec.direct) {
    if (tty || (fds.count != 1 && fds.count != 3)) return refuse(EBADF, "direct stdio takes one or three descriptors");
    for (std::size_t i = 0; i < 3; ++i) {
      ends.fds[i] = fds.count == 3 ? std::move(fds.fds[i]) : Fd(fcntl(fds.fds[0].get(), F_DUPFD_CLOEXEC, 3));
      if (!ends.fds[i].valid()) return fail(errno, "duplicate the descriptor");
    }
  } else {
    StreamWishes wishes = wishes_of(request.message);
    SHIM_TRY(tty ? exec.io.make_runtime_ends(ends)
                 : exec.io.make_pipes(wishes.input, fds.count > 0, conf_.userns_base, ends));
    if (fds.count > 0) add_stream(exec.io, std::move(fds.fds[0]), std::move(wishes), request.message);
  }
  const Buffer stem = concat(conf_.bundle, "/exec-", exec.id);
  Call call{.process = concat(request.value("process")),
            .pid_file = concat(stem, ".pid"),
            .log_file = concat(stem, ".log"),
            .tty = tty,
            .number = ++calls_};
  return exec.call.start(conf_, std::move(call), ends);
}

Result<> Shim::on_shutdown(const Request&) {
  if (state_ == State::kStarting || state_ == State::kRunning) return refuse(EBUSY, "the container runs");
  leaving_ = true;
  return {};
}

void Shim::reply_ok(const Requester& requester) {
  Buffer message;
  add_verb(message, verb::kOk);
  add_field(message, "seq", requester.sequence);
  control_.send(requester.connection, message);
}

void Shim::reply_error(const Requester& requester, const Error& error, std::string_view stage) {
  Buffer message;
  add_verb(message, verb::kError);
  add_field(message, "seq", requester.sequence);
  if (!stage.empty()) add_field(message, "stage", stage);
  add_field(message, "errno", error.errno_value);
  add_field(message, "message", error.message.view().substr(0, kMaxDatagram / 2));
  control_.send(requester.connection, message);
}

void Shim::reply_started(const Held& held) {
  Buffer message;
  add_verb(message, verb::kOk);
  add_field(message, "seq", held.starter.sequence);
  add_field(message, "pid", held.pid);
  add_field(message, "start_time", held.start_time);
  control_.send(held.starter.connection, message);
}

}  // namespace berth::shim
