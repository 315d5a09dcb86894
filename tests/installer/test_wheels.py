"""The wheel builder: the lock is read for the target, gaps are written down, the manifest notices every change."""

import importlib.util
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "offline_wheels"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_wheels", FOLDER / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


build = load()
PLATFORMS = tomllib.loads((FOLDER / "platforms.toml").read_text())
LOCKED = build.read_lock(build.LOCK.read_text())


def test_every_pin_of_the_lock_is_read() -> None:
    pins = [ln for ln in build.LOCK.read_text().splitlines() if "==" in ln and ln[0].isalnum()]
    assert len(LOCKED) == len(pins) > 30
    assert all(e.hashes and all(h.startswith("sha256:") for h in e.hashes) for e in LOCKED)


def test_markers_are_evaluated_for_the_target() -> None:
    def names(machine: str, python: str = "3.11.2") -> set[str]:
        return {e.name for e in build.wanted(LOCKED, python, machine)}

    assert names("x86_64") - names("aarch64") == {"tongsuopy"}
    assert "async-timeout" in names("aarch64")
    assert "async-timeout" not in names("aarch64", "3.11.9")


@pytest.mark.parametrize("machine", sorted(PLATFORMS["platform"]))
def test_the_lock_agrees_with_the_stated_gaps(machine: str) -> None:
    entries = build.wanted(LOCKED, PLATFORMS["python"]["version"], machine)
    build.check_gaps(entries, PLATFORMS["missing"], machine)


def test_an_unmarked_gap_stops_the_build() -> None:
    entries = [build.Locked("tongsuopy", "1.0.1", "", ("sha256:0",))]
    with pytest.raises(build.BuildError, match="no wheel for aarch64"):
        build.check_gaps(entries, PLATFORMS["missing"], "aarch64")


def test_tags_reach_from_the_floor_down() -> None:
    tags = build.tags("aarch64", 28, 17)
    assert tags[0] == "manylinux_2_28_aarch64"
    assert {"manylinux_2_17_aarch64", "manylinux2014_aarch64"} <= set(tags)
    assert "manylinux1_aarch64" not in tags


def test_the_manifest_notices_change_loss_and_addition(tmp_path: Path) -> None:
    folder = tmp_path / "x86_64"
    folder.mkdir()
    (folder / "one-1-py3-none-any.whl").write_bytes(b"abc")
    (folder / "two-1-py3-none-any.whl").write_bytes(b"two")
    build.write_manifest(tmp_path, "3.11.2")
    assert build.verify(tmp_path) == 2
    first = build.describe(folder)[0]
    # GB/T 32905-2016, example 1: SM3 of "abc".
    assert first["sm3"] == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    assert first["sha256"] == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

    (folder / "one-1-py3-none-any.whl").write_bytes(b"abd")
    with pytest.raises(build.BuildError, match="one-1"):
        build.verify(tmp_path)
    (folder / "one-1-py3-none-any.whl").write_bytes(b"abc")
    (folder / "extra-1-py3-none-any.whl").write_bytes(b"x")
    with pytest.raises(build.BuildError, match="extra-1"):
        build.verify(tmp_path)
    (folder / "extra-1-py3-none-any.whl").unlink()
    (folder / "two-1-py3-none-any.whl").unlink()
    with pytest.raises(build.BuildError, match="two-1"):
        build.verify(tmp_path)
