"""Download the wheels of every platform from the hash-locked requirements, and write MANIFEST.json.

`python offline_wheels/build.py [--platform aarch64] [--only NAME ...] [--out DIR]`, or `--verify` for an existing folder.
Markers are evaluated here for the target, because `pip download` evaluates them for the machine that builds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pip._vendor.packaging.markers import Marker

from security import sm

HERE = Path(__file__).resolve().parent
LOCK = HERE / "requirements.lock"
MANIFEST = "MANIFEST.json"


class BuildError(Exception):
    """The bundle cannot be built or does not match its manifest."""


@dataclass(frozen=True)
class Locked:
    """One entry of the lock: `name==version`, its marker, its hashes."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]

    def line(self) -> str:
        """Return the entry as a requirement without marker."""
        return " ".join([f"{self.name}=={self.version}", *(f"--hash={h}" for h in self.hashes)])


def read_lock(text: str) -> list[Locked]:
    """Parse a lock written by `make lock`."""
    entries = []
    for line in text.replace("\\\n", " ").splitlines():
        if match := re.match(r"([A-Za-z0-9._-]+)==(\S+)\s*(?:;\s*(.*?))?\s*(--hash=.*)$", line):
            name, version, marker, hashes = match.groups()
            entries.append(Locked(name.lower(), version, marker or "", tuple(re.findall(r"--hash=(\S+)", hashes))))
    if not entries:
        raise BuildError("the lock has no hashed entry")
    return entries


def wanted(entries: list[Locked], python_version: str, machine: str) -> list[Locked]:
    """Return the entries a target of this machine installs."""
    environment = {
        "python_full_version": python_version, "python_version": ".".join(python_version.split(".")[:2]),
        "platform_machine": machine, "platform_system": "Linux", "sys_platform": "linux", "os_name": "posix",
        "implementation_name": "cpython", "platform_python_implementation": "CPython", "extra": "",
    }  # fmt: skip
    return [e for e in entries if not e.marker or Marker(e.marker).evaluate(environment)]


def check_gaps(entries: list[Locked], missing: list[dict[str, str]], machine: str) -> None:
    """Raise when the lock still asks for a package that has no wheel on this platform."""
    for gap in missing:
        if gap["platform"] == machine and any(e.name == gap["package"] for e in entries):
            raise BuildError(f"{gap['package']} has no wheel for {machine}; exclude it by a marker. {gap['fallback']}")


def tags(machine: str, newest: int, oldest: int) -> list[str]:
    """Return the platform tags pip accepts, newest first; pip does not derive the older ones itself."""
    modern = [f"manylinux_2_{minor}_{machine}" for minor in range(newest, oldest - 1, -1)]
    legacy = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
    return modern + [f"{name}_{machine}" for minor, name in legacy.items() if oldest <= minor <= newest]


def download(entries: list[Locked], platforms: dict[str, Any], machine: str, target: Path) -> None:
    """Fetch the wheels of one platform; pip checks every hash and refuses source archives."""
    target.mkdir(parents=True, exist_ok=True)
    python = platforms["python"]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(e.line() for e in entries) + "\n")
        file.flush()
        command = [
            sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-deps", "--require-hashes",
            "--only-binary", ":all:", "--implementation", "cp", "--python-version", python["version"],
            "--abi", python["abi"], "--abi", "abi3", "--abi", "none", "--dest", str(target), "--requirement", file.name,
        ]  # fmt: skip
        for tag in tags(machine, *platforms["platform"][machine]["glibc_minor"]):
            command += ["--platform", tag]
        if subprocess.run(command, check=False).returncode:  # noqa: S603 - fixed command, no shell
            raise BuildError(f"pip could not fetch all wheels for {machine}")


def describe(folder: Path) -> list[dict[str, Any]]:
    """Return name, size and both digests of every wheel in a folder, sorted by name."""
    rows = []
    for file in sorted(folder.glob("*.whl")):
        data = file.read_bytes()
        rows.append({
            "file": file.name, "size_bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(), "sm3": sm.sm3(data).hex(),
        })  # fmt: skip
    return rows


def write_manifest(out: Path, python_version: str) -> Path:
    """Write MANIFEST.json over all platform folders below `out`."""
    manifest = {
        "python": python_version,
        "lock_sha256": hashlib.sha256(LOCK.read_bytes()).hexdigest(),
        "platforms": {folder.name: describe(folder) for folder in sorted(out.iterdir()) if folder.is_dir()},
    }
    path = out / MANIFEST
    path.write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
    return path


def verify(out: Path) -> int:
    """Compare the folder with its manifest; return the number of files. Raises on a changed, missing or extra file."""
    manifest = json.loads((out / MANIFEST).read_text())
    count = 0
    for machine, rows in manifest["platforms"].items():
        found = describe(out / machine)
        if found != rows:
            named = {r["file"] for r in rows} | {r["file"] for r in found}
            wrong = sorted(n for n in named if [r for r in rows if r["file"] == n] != [r for r in found if r["file"] == n])
            raise BuildError(f"{machine}: does not match the manifest: {', '.join(wrong)}")
        count += len(rows)
    return count


def main(argv: list[str] | None = None) -> int:
    """Build or verify; return the exit code."""
    platforms = tomllib.loads((HERE / "platforms.toml").read_text())
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--platform", action="append", choices=sorted(platforms["platform"]))
    parser.add_argument("--only", action="append", help="fetch only this package (to try the tool)")
    parser.add_argument("--out", type=Path, default=HERE / "wheels")
    parser.add_argument("--verify", action="store_true")
    options = parser.parse_args(argv)
    try:
        if not options.verify:
            locked = read_lock(LOCK.read_text())
            for machine in options.platform or sorted(platforms["platform"]):
                entries = wanted(locked, platforms["python"]["version"], machine)
                check_gaps(entries, platforms["missing"], machine)
                if options.only:
                    entries = [e for e in entries if e.name in options.only]
                download(entries, platforms, machine, options.out / machine)
            write_manifest(options.out, platforms["python"]["version"])
        sys.stdout.write(f"{verify(options.out)} wheels match {options.out / MANIFEST}\n")
    except BuildError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
