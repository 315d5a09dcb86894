#!/usr/bin/env bash
# Prepare a machine: `bootstrap.sh run` for running, `bootstrap.sh test` for the tests too. Repeating it costs a second.
set -euo pipefail
cd "$(dirname "$0")/.."
mode=${1:-run}

lock=offline_wheels/requirements.lock
[ "$mode" = test ] && lock=offline_wheels/dev.lock
stamp=.venv/.installed-$mode
assets=app/web/static/vendor/SHA256SUMS
python_ready() { [ -f "$stamp" ] && [ ! "$lock" -nt "$stamp" ] && [ "$(cat .venv/.checkout 2>/dev/null)" = "$(pwd)" ] && .venv/bin/python -c ''; }
assets_ready() { [ -f "$assets" ] && [ ! package-lock.json -nt "$assets" ]; }
if [ "$mode" = run ] && python_ready && assets_ready; then exit 0; fi

say_line() { # the one line that installs Debian packages here, by another name where the system has no apt-get
  if command -v apt-get >/dev/null || ! command -v dnf >/dev/null; then
    echo "缺少系统软件，请运行：sudo apt-get install -y $*" >&2
  else
    echo "缺少系统软件，请运行：sudo dnf install -y $(echo "$*" | sed -E 's/python3-venv/python3.11/; s/python3( |$)/python3.11-pip\1/')" >&2
  fi
  exit 1
}

install_packages() { # names of Debian packages: installed as root on Debian, else the line is said
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || say_line "$@"
  echo "安装系统软件包：$*"
  apt-get update -qq || echo "软件源没有更新成功，用已有的清单继续" >&2
  # No service is started by the installation: tests start their own private servers.
  local policy=/usr/sbin/policy-rc.d made=0 code=0
  if [ ! -e "$policy" ]; then printf '#!/bin/sh\nexit 101\n' >"$policy"; chmod +x "$policy"; made=1; fi
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null || code=$?
  [ $made = 0 ] || rm -f "$policy"
  [ $code = 0 ] || say_line "$@"
}

usable_python() { # the first Python >= 3.11 that can make a virtual environment
  local name
  for name in python3.11 python3.12 python3.13 python3; do
    if "$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$name"
      return
    fi
  done
}

find_missing() { # sets missing: Debian packages of the tools that are absent or too old
  missing=()
  [ -n "$(usable_python)" ] || missing+=(python3 python3-venv)
  node -e 'process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)' 2>/dev/null || missing+=(nodejs)
  npm --version >/dev/null 2>&1 || missing+=(npm)
  [ "$mode" = test ] || return 0
  [ -x /usr/sbin/mariadbd ] || missing+=(mariadb-server)
  ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing+=(postgresql)
  [ -x /usr/bin/redis-server ] || missing+=(redis-server)
  [ -x /usr/sbin/nginx ] || missing+=(nginx)
  [ -x /usr/bin/chromium ] || missing+=(chromium)
  fc-list 2>/dev/null | grep -qi 'Noto Sans CJK' || missing+=(fonts-noto-cjk fontconfig)
}

find_missing
if [ ${#missing[@]} -gt 0 ]; then
  install_packages "${missing[@]}"
  find_missing
  if [ ${#missing[@]} -gt 0 ]; then
    echo "已安装的版本太旧：需要 Python 3.11（含 venv）和 Node 18 以上；仍不可用：${missing[*]}" >&2
    exit 1
  fi
fi
python=$(usable_python)

if ! python_ready; then
  echo "安装 Python 依赖（$lock）"
  # A checkout that was moved starts over: the launchers in .venv name the old place.
  [ "$(cat .venv/.checkout 2>/dev/null || pwd)" = "$(pwd)" ] && .venv/bin/python -m pip --version >/dev/null 2>&1 ||
    "$python" -m venv --clear .venv
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
fi
# The checkout itself is the package: a path file and a launcher, so nothing has to be built.
site=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
pwd >"$site/regionmart.pth"
printf '#!%s/.venv/bin/python\nfrom app.cli import main\nmain()\n' "$(pwd)" >.venv/bin/regionmart
chmod +x .venv/bin/regionmart
# Every process of the platform reads the compiled modules, also where the environment forbids Python to write them.
.venv/bin/python -m compileall -q app config dbadapters security
touch "$stamp"
pwd >.venv/.checkout

if ! assets_ready; then
  echo "构建前端资源"
  npm ci --silent --no-audit --no-fund
  npm run --silent build
  touch "$assets"
fi
