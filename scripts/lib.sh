# Shared by the scripts of this folder; sourced by bash, never run.
# Afterwards: repo (the root of the checkout), say, fail, require_root, packages_in, ensure_packages.

set -euo pipefail
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
started=$SECONDS

# One line of progress with the seconds since the script began.
say() { printf '[%4d s] %s\n' "$((SECONDS - started))" "$*"; }

# What went wrong, then (optional second argument) what to do about it; ends the script.
fail() {
  printf '%s: error: %s\n' "$(basename "$0")" "$1" >&2
  [ $# -lt 2 ] || printf '%s: %s\n' "$(basename "$0")" "$2" >&2
  exit 1
}

require_root() {
  [ "$(id -u)" -eq 0 ] || fail "this must run as root" "try: sudo $0"
}

# The packages of the named sections of scripts/packages, one a line.
packages_in() {
  local section
  for section in "$@"; do
    awk -v want="[$section]" '{ sub(/#.*/, "") } /^\[/ { inside = ($1 == want); next } inside && NF { print $1 }' \
      "$repo/scripts/packages"
  done | sort -u
}

# Those of the packages on stdin that are not installed; one that another one provides counts as installed.
missing_packages() {
  local package there
  there=$(dpkg-query -W -f '${db:Status-Status} ${Package}, ${Provides}\n' |
    sed -n 's/^installed //p' | sed 's/ ([^)]*)//g; s/, */\n/g')
  while read -r package; do
    grep -qxF "$package" <<<"$there" || echo "$package"
  done
}

# Installs what the sections name and the machine lacks. Quick and silent when nothing is missing.
ensure_packages() {
  local missing log
  missing=$(packages_in "$@" | missing_packages)
  [ -n "$missing" ] || return 0
  [ "$(id -u)" -eq 0 ] || fail "these Debian packages are missing: $(echo $missing)" \
    "install them as root: apt-get install $(echo $missing)"
  say "installing $(wc -w <<<"$missing") Debian packages: $(echo $missing)"
  log=$(mktemp)
  if ! { apt-get update && DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends -o Dpkg::Use-Pty=0 $missing; } </dev/null >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    fail "apt-get could not install the packages (all of its output: $log)"
  fi
  rm -f "$log"
}
