#!/usr/bin/env bash
# Everything `make test` checks. Short checks first, then the suites two at a time (each has its own servers and
# databases), then alone what kills processes or drives a browser. Ends at the first stage in which something failed.
set -uo pipefail
set -m # a suite in the background keeps its answer to Ctrl-C
cd "$(dirname "$0")/.."
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
trap 'kill -INT $(jobs -p) 2>/dev/null; wait; exit 130' INT TERM

declare -A names=() started=()
failed=()

launch() { # name, command: in the background, output kept in a file
  local name=$1
  shift
  "$@" >"$logs/$name" 2>&1 &
  names[$!]=$name
  started[$!]=$SECONDS
}

settle() { # wait for one of the running commands and show what it printed
  local pid code=0 name
  wait -n -p pid "${!names[@]}" || code=$?
  name=${names[$pid]}
  echo "=== $name: $([ $code = 0 ] && echo ok || echo "failed (exit $code)"), $((SECONDS - started[$pid])) s"
  cat "$logs/$name"
  [ $code = 0 ] || failed+=("$name")
  unset "names[$pid]"
}

step() { # name, command: as many at once as `places` allows
  [ ${#names[@]} -lt "$places" ] || settle
  launch "$@"
}

stage() { # end of a stage: everything has finished, and stop when something failed
  while [ ${#names[@]} -gt 0 ]; do settle; done
  [ ${#failed[@]} = 0 ] && return
  printf '=== failed: %s\n' "${failed[@]}"
  exit 1
}

pytest=(.venv/bin/python -m pytest -q)
places=2
step "ruff" .venv/bin/python -m ruff check .
step "mypy" .venv/bin/python -m mypy app/core security config dbadapters
step "import contracts" .venv/bin/lint-imports
stage
for engine in dameng kingbase mariadb; do # dameng: the stand-in (README, Engines)
  step "integration on $engine" "${pytest[@]}" tests/integration --engine "$engine"
done
step "adapter contract, all engines" "${pytest[@]}" tests/contract
step "integration on sqlite" "${pytest[@]}" tests/integration --engine sqlite
step "unit, architecture, installer" "${pytest[@]}" tests/unit tests/architecture tests/installer
stage
places=1
step "processes killed, reloaded, behind nginx, limited" "${pytest[@]}" tests/processes
step "browser journeys" "${pytest[@]}" tests/e2e
stage
echo "=== all passed, $SECONDS s"
