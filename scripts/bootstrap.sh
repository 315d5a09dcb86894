#!/usr/bin/env bash
# Prepare a machine: `bootstrap.sh run` for running, `bootstrap.sh test` for the tests too. Repeating it costs a second.
set -euo pipefail
cd "$(dirname "$0")/.."
mode=${1:-run}

need_packages() { # names of missing Debian packages -> install as root on Debian, else say the one line
  [ $# -eq 0 ] && return 0
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "安装系统软件包：$*"
    apt-get update -qq
    # No service is started by the installation: tests start their own private servers.
    local policy=/usr/sbin/policy-rc.d made=0
    if [ ! -e "$policy" ]; then printf '#!/bin/sh\nexit 101\n' >"$policy"; chmod +x "$policy"; made=1; fi
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null || { [ $made = 0 ] || rm -f "$policy"; exit 1; }
    [ $made = 0 ] || rm -f "$policy"
  else
    echo "缺少系统软件，请运行：sudo apt-get install -y $*" >&2
    exit 1
  fi
}

missing=()
python=$(command -v python3.11 || command -v python3 || true)
[ -n "$python" ] && "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || missing+=(python3 python3-venv)
command -v node >/dev/null || missing+=(nodejs)
command -v npm >/dev/null || missing+=(npm)
if [ "$mode" = test ]; then
  [ -x /usr/sbin/mariadbd ] || missing+=(mariadb-server)
  ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing+=(postgresql)
  [ -x /usr/bin/redis-server ] || missing+=(redis-server)
  [ -x /usr/sbin/nginx ] || missing+=(nginx)
  [ -x /usr/bin/chromium ] || missing+=(chromium)
  fc-list 2>/dev/null | grep -qi 'Noto Sans CJK' || missing+=(fonts-noto-cjk fontconfig)
fi
need_packages "${missing[@]}"
python=$(command -v python3.11 || command -v python3)

lock=offline_wheels/requirements.lock
[ "$mode" = test ] && lock=offline_wheels/dev.lock
stamp=.venv/.installed-$mode
if [ ! -f "$stamp" ] || [ "$lock" -nt "$stamp" ]; then
  echo "安装 Python 依赖（$lock）"
  [ -x .venv/bin/python ] || "$python" -m venv .venv
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
  touch "$stamp"
fi
# The checkout itself is the package: a path file and a launcher, so nothing has to be built.
site=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
pwd >"$site/regionmart.pth"
printf '#!%s/.venv/bin/python\nfrom app.cli import main\nmain()\n' "$(pwd)" >.venv/bin/regionmart
chmod +x .venv/bin/regionmart

assets=app/web/static/vendor/SHA256SUMS
if [ ! -f "$assets" ] || [ package-lock.json -nt "$assets" ]; then
  echo "构建前端资源"
  npm ci --silent --no-audit --no-fund
  npm run --silent build
  touch "$assets"
fi
