"""SM3, HMAC, KDF and SM4 against gm_vectors and Wycheproof."""

import pytest

from security import symmetric
from security.errors import DecryptionFailed, InvalidKey


def h(text):
    return bytes.fromhex(text)


def test_sm3(vectors):
    for v in vectors["sm3"]:
        message = h(v["msg"]) if "msg" in v else None
        assert message is not None
        for digest in (symmetric.sm3, symmetric.sm3_cryptography):
            assert digest(message) == h(v["digest"])


def test_hmac(vectors, monkeypatch):
    for fallback in (False, True):
        if fallback:  # an OpenSSL without SM3
            monkeypatch.setattr(symmetric, "_sm3", symmetric.sm3_cryptography)
        for v in vectors["hmac_sm3"]:
            key, message, mac = h(v["key"]), h(v["msg"]), h(v["mac"])
            state = symmetric.KeyedHmac(key)
            assert symmetric.hmac_sm3(key, message) == mac
            assert state.digest(message) == mac
            assert state.digest(message) == mac  # the copied state is not used up


def test_hmac_wycheproof(wycheproof):
    for group, test in wycheproof("hmac_sm3"):
        mac = symmetric.hmac_sm3(h(test["key"]), h(test["msg"]))[:group["tagSize"] // 8]
        assert (mac == h(test["tag"])) is (test["result"] == "valid"), test["tcId"]


def test_kdfs(vectors):
    for v in vectors["pbkdf2_hmac_sm3"]:
        salt = h(v["salt"])
        if v["iterations"] < 1024 or len(salt) < 8:  # below GM/T 0091: refused, then checked beside the rule
            with pytest.raises(InvalidKey):
                symmetric.pbkdf2_sm3(h(v["password"]), salt, v["iterations"], v["dk_len"])
            found = symmetric.PBKDF2HMAC(symmetric.hashes.SM3(), v["dk_len"], salt, v["iterations"])
            assert found.derive(h(v["password"])) == h(v["dk"])
        else:
            assert symmetric.pbkdf2_sm3(h(v["password"]), salt, v["iterations"], v["dk_len"]) == h(v["dk"])
    for v in vectors["hkdf_sm3"]:
        assert symmetric.hkdf_sm3(h(v["ikm"]), h(v["info"]), v["length"], h(v["salt"]) or None) == h(v["okm"])


def test_kdf_policy(vectors):
    for v in vectors["kdf_policy_invalid"]:
        if "iterations" in v or "salt_len" in v:
            with pytest.raises(InvalidKey):
                symmetric.pbkdf2_sm3(b"p", bytes(v.get("salt_len", 16)), v.get("iterations", 10_000))
    for size in (0, 15, 17, 32):
        with pytest.raises(InvalidKey):
            symmetric.sm4_gcm_encrypt(bytes(size), b"x", b"")
        with pytest.raises(InvalidKey):
            symmetric.sm4_gcm_decrypt(bytes(size), bytes(40), b"")


def test_gcm(vectors):
    for v in vectors["sm4_gcm"]:
        key, iv, aad, plain = h(v["key"]), h(v["iv"]), h(v["aad"]), h(v["pt"])
        if len(iv) != 12:  # trap T16: only 12 bytes are taken
            with pytest.raises(InvalidKey):
                symmetric.sm4_gcm_encrypt(key, plain, aad, iv)
            continue
        sealed = symmetric.sm4_gcm_encrypt(key, plain, aad, iv)
        assert sealed == iv + h(v["ct"]) + h(v["tag"])
        assert symmetric.sm4_gcm_decrypt(key, sealed, aad) == plain


def test_gcm_invalid(vectors):
    for v in vectors["sm4_gcm_invalid"]:
        with pytest.raises(DecryptionFailed):
            symmetric.sm4_gcm_decrypt(h(v["key"]), h(v["iv"]) + h(v["ct"]) + h(v["tag"]), h(v["aad"]))


def test_gcm_wycheproof(wycheproof):
    refused = 0
    for _, test in wycheproof("sm4_gcm"):
        key, iv, aad, plain = h(test["key"]), h(test["iv"]), h(test["aad"]), h(test["msg"])
        sealed = iv + h(test["ct"]) + h(test["tag"])
        if len(iv) != 12:
            refused += 1
            with pytest.raises(InvalidKey):
                symmetric.sm4_gcm_encrypt(key, plain, aad, iv)
        elif test["result"] == "valid":
            assert symmetric.sm4_gcm_encrypt(key, plain, aad, iv) == sealed, test["tcId"]
            assert symmetric.sm4_gcm_decrypt(key, sealed, aad) == plain, test["tcId"]
        else:
            with pytest.raises(DecryptionFailed):
                symmetric.sm4_gcm_decrypt(key, sealed, aad)
    assert refused < 60  # most of the set has 12-byte ivs and is really computed


def test_fresh_ivs_differ():
    assert len({symmetric.sm4_gcm_encrypt(bytes(16), b"x", b"")[:12] for _ in range(200)}) == 200


def test_cbc(vectors):
    for v in vectors["sm4_cbc"]:
        if v["padding"] != "none":
            continue
        found = symmetric.sm4_cbc(h(v["key"]), h(v["iv"]), h(v["pt"]))
        assert found == h(v["ct"])
        assert symmetric.sm4_cbc(h(v["key"]), h(v["iv"]), found, decrypt=True) == h(v["pt"])
    with pytest.raises(InvalidKey):
        symmetric.sm4_cbc(bytes(16), bytes(16), b"15 bytes only..")
