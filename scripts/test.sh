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
for engine in sqlite mariadb; do
  step "integration on $engine" pytest tests/integration --engine "$engine"
done
# On these two the suites of trade, money and stock run here; `make integration ENGINE=kingbase|dameng` runs all.
step "trade and money on kingbase" .venv/bin/python -m pytest -q --engine kingbase tests/integration/test_orders.py \
  tests/integration/test_journey.py tests/integration/orders tests/integration/carts tests/integration/promotions tests/integration/settlement
step "trade, identity and audit on dameng" .venv/bin/python -m pytest -q --engine dameng tests/integration/test_orders.py \
  tests/integration/test_journey.py tests/integration/audit tests/integration/identity tests/integration/inventory
step "browser journeys" pytest tests/e2e
