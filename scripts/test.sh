#!/usr/bin/env bash
# Everything `make test` checks, step by step; stops at the first step that fails.
set -uo pipefail
cd "$(dirname "$0")/.."
step() {
  local name=$1 started=$SECONDS
  shift
  echo "=== $name"
  "$@"
  local code=$?
  if [ $code -ne 0 ]; then
    echo "=== $name: failed (exit $code) after $((SECONDS - started)) s"
    exit $code
  fi
  echo "=== $name: ok, $((SECONDS - started)) s"
}
pytest() { # folders then options; a folder that does not exist yet is named and skipped, an empty one (exit 5) fails
  local present=() options=() item
  for item in "$@"; do
    case $item in
      tests/*) if [ -d "$item" ]; then present+=("$item"); else echo "    $item is not there: skipped"; fi ;;
      *) options+=("$item") ;;
    esac
  done
  [ ${#present[@]} -eq 0 ] || .venv/bin/python -m pytest -q "${present[@]}" "${options[@]}"
}
step "ruff" .venv/bin/python -m ruff check .
step "mypy" .venv/bin/python -m mypy app/core security config dbadapters
step "import contracts" .venv/bin/lint-imports
step "unit, architecture, installer" pytest tests/unit tests/architecture tests/installer
step "adapter contract, all engines" pytest tests/contract
for engine in sqlite mariadb kingbase dameng; do # dameng: the stand-in (README, Engines)
  step "integration on $engine" pytest tests/integration --engine "$engine"
done
step "processes killed, reloaded, behind nginx, limited" pytest tests/processes
step "browser journeys" pytest tests/e2e
