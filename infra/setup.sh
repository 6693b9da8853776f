#!/usr/bin/env bash
# Build .venv from requirements.lock: what is missing and nothing else. Each thing in the way gets one sentence.
set -euo pipefail
python=${PYTHON:-python3}
say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$*"; exit 2; }

command -v "$python" >/dev/null || fail "$python is not installed: install Python 3.11 or newer, or name one with PYTHON=…"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  fail "$("$python" --version) is too old: install Python 3.11 or newer, or name one with PYTHON=…"
"$python" -c 'import venv, ensurepip' 2>/dev/null ||
  fail "this Python has no venv module: install your system's python3-venv package"
free=$(df -Pk . | awk 'NR==2 {print int($4 / 1024)}')
[ "$free" -ge 3000 ] || fail "only $free MiB are free here and the environment needs 3000: free some space"

if [ ! -x .venv/bin/python ]; then
  say "creating .venv"
  "$python" -m venv .venv
fi
if [ ! -x .venv/bin/uv ]; then
  .venv/bin/python -m pip install -q --disable-pip-version-check uv ||
    say "uv could not be installed; going on with pip, which is slower"
fi
say "installing the packages of requirements.lock (a minute or so the first time)"
if [ -x .venv/bin/uv ]; then
  .venv/bin/uv pip install -q --python .venv/bin/python --require-hashes -r requirements.lock
  .venv/bin/uv pip install -q --python .venv/bin/python --no-deps --editable .
else
  .venv/bin/python -m pip install -q --require-hashes -r requirements.lock
  .venv/bin/python -m pip install -q --no-deps --editable .
fi || fail "the packages could not be installed: is the package registry reachable? (pip's own settings name a mirror)"
