#!/usr/bin/env bash
# The whole check, on any machine: an environment of its own, format, lint, types, tests.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=${RESONATE_NB_TEST_ENV:-.venv}
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable ".[dev]"

# Node runs the reference server and the TypeScript client that the protocol is held to.
command -v npm >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq nodejs npm >/dev/null; }

"$venv/bin/ruff" format --check .
"$venv/bin/ruff" check .
"$venv/bin/mypy"
exec "$venv/bin/python" -m pytest --numprocesses "${RESONATE_NB_TEST_PROCESSES:-3}" --dist worksteal "$@"
