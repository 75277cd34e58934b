# How the two daemons are started, stopped and looked at; sourced by quickstart and uninstall after lib.sh.
#
# Two ways: units of systemd where it is PID 1, else background processes with a pid file in the run directory and a log
# in the log directory. An instance whose name is not "berth" always uses the second way, so that it can stand beside
# another one: its name is part of everything that it makes on the machine.

instance=berth prefix=/usr/local state_dir='' run_dir='' log_dir='' listen=127.0.0.1:8080 port_base=2000 service=auto

service_usage="  --instance NAME      another installation beside the first (berth)
  --prefix DIR         where the programs go (/usr/local)
  --state-dir DIR      where images, containers and data are (/var/lib/NAME)
  --run-dir DIR        sockets and pid files (/run/NAME)
  --log-dir DIR        logs of background processes (/var/log/NAME)
  --service WAY        systemd, background or auto (auto)"

# Takes one of the options above with its value; false if it is none.
take_service_option() {
  case $1 in
    --instance) instance=$2 ;;
    --prefix) prefix=$2 ;;
    --state-dir) state_dir=$2 ;;
    --run-dir) run_dir=$2 ;;
    --log-dir) log_dir=$2 ;;
    --service) service=$2 ;;
    *) return 1 ;;
  esac
}

# Fills in what was not given. Names of interfaces have 15 bytes, hence the limit.
settle_service_options() {
  [[ $instance =~ ^[a-z][a-z0-9]{0,5}$ ]] ||
    fail "the instance name '$instance' is not usable" "use 1 to 6 of a-z and 0-9, a letter first"
  state_dir=${state_dir:-/var/lib/$instance} run_dir=${run_dir:-/run/$instance} log_dir=${log_dir:-/var/log/$instance}
  if [ "$service" = auto ]; then
    service=background
    [ "$instance" != berth ] || [ "$(cat /proc/1/comm)" != systemd ] || service=systemd
  fi
  case $service in systemd | background) ;; *) fail "--service is systemd, background or auto, not '$service'" ;; esac
  libexec=$prefix/lib/berth
  engine_socket=$run_dir/engine.sock
  portal_socket=$run_dir/portal.sock
}

engine_command() {
  local command=("$libexec/berth-engine" --state-dir "$state_dir" --run-dir "$run_dir" --socket "$engine_socket"
    --guest-tools "$libexec/guest" --portal-group berth)
  # Ids of other instances: one of 20 ranges above those of the first, by the name.
  [ "$instance" = berth ] ||
    command+=(--interface-prefix "$instance" --nft-table "$instance" --cgroup-parent "/$instance"
      --userns-first $((300000000 + $(cksum <<<"$instance" | cut -d' ' -f1) % 20 * 140000000)))
  printf '%s\n' "${command[@]}"
}

portal_command() {
  printf '%s\n' "$libexec/berth-portal" --engine "$run_dir/engine-portal.sock" --socket "$portal_socket" \
    --listen "$listen" --port-base "$port_base" --user berth
}

pid_file() { echo "$run_dir/$1.pid"; }

# The pid of the background daemon NAME, if it runs; a pid file whose process is another program is none.
running_pid() {
  local pid
  pid=$(cat "$(pid_file "$1")" 2>/dev/null) || return 1
  [[ $(readlink "/proc/$pid/exe" 2>/dev/null) == "$libexec/berth-$1"* ]] && echo "$pid"
}

stop_background() {
  local pid
  pid=$(running_pid "$1") || return 0
  kill "$pid"
  for _ in $(seq 200); do
    [ -e "/proc/$pid" ] || break
    sleep 0.05
  done
  if [ -e "/proc/$pid" ]; then kill -KILL "$pid"; fi
  rm -f "$(pid_file "$1")"
}

# Starts it unless the very program that is installed runs already, with the same command.
start_background() {
  local name=$1 pid command
  mapfile -t command < <("${name}_command")
  if pid=$(running_pid "$name"); then
    if [ "$(readlink "/proc/$pid/exe")" = "${command[0]}" ] &&
      [ "$(tr '\0' '\n' <"/proc/$pid/cmdline")" = "$(printf '%s\n' "${command[@]}")" ]; then
      return 0
    fi
    say "restarting the $name: it changed"
    stop_background "$name"
  fi
  mkdir -p "$run_dir" "$log_dir"
  setsid "${command[@]}" </dev/null >>"$log_dir/$name.log" 2>&1 &
  echo $! >"$(pid_file "$name")"
}

# The last words of a daemon that does not come up.
service_log() {
  if [ "$service" = systemd ]; then
    journalctl -u "berth-$1" -n 15 --no-pager -o cat
  else
    tail -n 15 "$log_dir/$1.log"
  fi
}

# Waits until a command succeeds, which shows that the daemon NAME answers.
wait_for() {
  local name=$1
  shift
  for _ in $(seq 300); do
    if "$@" >/dev/null 2>&1; then return 0; fi
    sleep 0.1
  done
  service_log "$name" >&2 || true
  fail "the $name does not answer after 30 s (its last words are above)"
}
