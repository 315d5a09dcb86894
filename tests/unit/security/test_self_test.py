"""The start-up self-test passes here and fails when a back end is sabotaged."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from security import self_test, sm, sm2_backends, symmetric
from security.errors import BackendSabotaged, SelfTestFailed, SigningFailed
from security.sm2_backends import libcrypto, pure, tongsuo

ROOT = Path(__file__).resolve().parents[3]


class Sabotaged(pure.PureBackend):
    """A back end whose faults are switched on by the test."""

    name = "sabotaged"
    fault = ""

    def public_point(self, d):
        point = super().public_point(d)
        return point[:-1] + bytes([point[-1] ^ 1]) if self.fault == "point" else point

    def sign_e(self, d, e):
        return super().sign_e(d, bytes(32) if self.fault == "sign" else e)

    def verify_e(self, point, e, signature):
        if self.fault == "accept":
            return True
        return self.fault != "reject" and super().verify_e(point, e, signature)


@pytest.fixture
def sabotaged(monkeypatch):
    found = Sabotaged()
    monkeypatch.setitem(sm2_backends.OPENERS, "sabotaged", lambda: found)
    return found


def test_passes_and_reports():
    report = sm.self_test(cross_check=True)
    assert report.backend == sm.backend_name()
    assert report.backends[-1] == "pure"
    assert {"sm3", "hmac-sm3", "sm4-gcm", "gmssl"} <= set(report.checks)
    assert {f"sm2:{name}" for name in report.backends} <= set(report.checks)


def test_sound_extra_back_end_passes(sabotaged):
    assert "sm2:sabotaged" in sm.self_test().checks


@pytest.mark.parametrize("fault", ["point", "sign", "accept", "reject"])
def test_sabotaged_back_end_is_found(sabotaged, fault):
    sabotaged.fault = fault
    with pytest.raises(SelfTestFailed, match="sabotaged"):
        sm.self_test()


@pytest.mark.parametrize("name", ["sm3", "sm3_cryptography", "hmac_sm3"])
def test_wrong_digest_is_found(monkeypatch, name):
    monkeypatch.setattr(symmetric, name, lambda *_: bytes(32))
    with pytest.raises(SelfTestFailed):
        sm.self_test()


def test_gcm_that_does_not_authenticate_is_found(monkeypatch):
    monkeypatch.setattr(symmetric, "sm4_gcm_decrypt", lambda *_: self_test._GCM_PT)
    with pytest.raises(SelfTestFailed, match="changed tag"):
        sm.self_test()


def test_fault_while_signing_never_leaves_the_facade(monkeypatch):
    bad = Sabotaged()
    bad.fault = "sign"
    monkeypatch.setattr(sm, "_backend", lambda: bad)
    with pytest.raises(SigningFailed):
        sm.sign(sm.generate_keypair()[0], b"m")


def test_foreign_engine_text_is_sabotage(monkeypatch):
    module = pytest.importorskip("tongsuopy.backends.tongsuo", reason="no tongsuopy wheel on this platform")
    monkeypatch.setattr(module.backend, "openssl_version_text", lambda: "OpenSSL 3.0.19 27 Jan 2026")
    with pytest.raises(BackendSabotaged):
        tongsuo.open_backend()
    with pytest.raises(SelfTestFailed, match="tongsuopy"):
        sm.self_test()
    assert "tongsuopy" not in sm2_backends.probe().usable


def test_interposed_libcrypto_is_found_in_a_fresh_process():
    """Trap T2 for real: OpenSSL 3 preloaded into the global scope."""
    pytest.importorskip("tongsuopy", reason="no tongsuopy wheel on this platform")
    library = libcrypto._find_library()
    if not library.startswith("/") or not Path(library).exists() or "libcrypto.so.3" not in library:
        pytest.skip("no shared libcrypto.so.3 to preload on this machine")
    script = ("from security import sm\nfrom security.errors import SelfTestFailed\n"
              "try:\n    sm.self_test()\nexcept SelfTestFailed as error:\n    print('refused', error)\n"
              "d, p = sm.generate_keypair()\nprint(sm.backend_name(), sm.verify(p, b'm', sm.sign(d, b'm')))\n")
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60,
                          env={**os.environ, "LD_PRELOAD": library}, check=False)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first.startswith("refused")
    assert "tongsuopy" in first
    assert second in ("libcrypto True", "pure True")  # the interposed one is passed over, not used


def test_without_tongsuopy_another_back_end_takes_over():
    """The aarch64 situation."""
    script = ("import sys\nsys.modules['tongsuopy'] = None\nfrom security import sm\n"
              "print(sm.self_test().backend, sorted(sm.self_test().absent))")
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60,
                          check=True)
    assert done.stdout.startswith(("libcrypto ", "pure "))
    assert "tongsuopy" in done.stdout
