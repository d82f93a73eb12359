#!/usr/bin/env bash
# The whole check, on any machine: an environment of its own, format, lint, types, tests.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=${RESONATE_NB_TEST_ENV:-.venv}
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable ".[dev]"

missing=()
# Node runs the reference server, the TypeScript client that the protocol is held to, and JupyterHub's proxy.
command -v npm >/dev/null || missing+=(nodejs npm)
# A real browser meets the forms and the inbox.
command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || missing+=(chromium)
if [ ${#missing[@]} -gt 0 ]; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null
fi

"$venv/bin/ruff" format --check .
"$venv/bin/ruff" check .
"$venv/bin/mypy"
exec "$venv/bin/python" -m pytest --numprocesses "${RESONATE_NB_TEST_PROCESSES:-3}" --dist worksteal "$@"
