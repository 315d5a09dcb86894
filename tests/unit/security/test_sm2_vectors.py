"""Every SM2 vector, positive and negative, on each back end."""

import pytest

from security import der, sm
from security.errors import DecryptionFailed, InvalidEncoding, InvalidKey
from security.sm2_backends import pure

# Sections of gm_vectors.json that this package does not use, each with its reason.
SKIPPED = {
    "meta": "not vectors",
    "sm2_sign_test_curve": "the package has one curve, sm2p256v1",
    "sm2_key_exchange": "key agreement is done by the TLCP gateway",
    "sm4_block": "ECB is never offered; covered through CBC and GCM",
    "sm4_ecb": "ECB is never offered",
    "sm4_ctr": "CTR only inside GCM",
    "sm4_ofb": "mode not offered",
    "sm4_cfb128": "mode not offered",
    "sm4_ccm": "mode not offered",
    "sm4_cbc_padding_invalid": "sm4_cbc takes whole blocks only, there is no padding to check",
    "x509": "certificates are checked at the gateway and by pyOpenSSL",
    "jws_sm2": "GM/T 0125 tokens are not issued; TokenSigner has no algorithm field",
}
TESTED = {
    "sm3", "hmac_sm3", "pbkdf2_hmac_sm3", "hkdf_sm3", "sm4_cbc", "sm4_gcm", "sm2_curve", "sm2_sign",
    "sm2_encrypt", "sm2_decrypt", "sm2_verify_prehash", "sm2_keys", "sm2_verify_invalid",
    "sm2_public_key_invalid", "sm2_private_key_invalid", "sm2_decrypt_invalid", "sm4_gcm_invalid",
    "kdf_policy_invalid",
}


def h(text):
    return bytes.fromhex(text)


def point(vector):
    return b"\x04" + h(vector["pub_x"]) + h(vector["pub_y"])


def test_every_section_is_tested_or_skipped_with_a_reason(vectors):
    assert set(vectors) == TESTED | set(SKIPPED)


def test_curve(vectors):
    curve = vectors["sm2_curve"]
    values = (pure.P, pure.A, pure.B, pure.N, pure.GX, pure.GY)
    assert values == tuple(int(curve[name], 16) for name in ("p", "a", "b", "n", "gx", "gy"))
    assert pure.to_affine(pure.multiply_g(pure.N)) is None


def test_sign_vectors(vectors, backend):
    for v in vectors["sm2_sign"]:
        public, uid, message, raw = point(v), h(v["uid"]), h(v["msg"]), h(v["sig_raw"])
        assert sm.compute_za(public, uid) == h(v["za"])
        assert sm.compute_e(public, message, uid) == h(v["e"])
        assert sm.public_from_private(h(v["d"])) == public
        assert sm.verify(public, message, raw, uid)
        assert sm.signature_to_der(raw) == h(v["sig_der"])
        assert sm.signature_from_der(h(v["sig_der"])) == raw
        assert pure.sign_with_nonce(int(v["d"], 16), int(v["e"], 16), int(v["k"], 16)) == raw
        assert sm.verify(public, message, sm.sign(h(v["d"]), message, uid), uid)


def test_prehash_vectors(vectors, backend):
    for v in vectors["sm2_verify_prehash"]:
        assert backend.verify_e(point(v), h(v["e"]), der.decode_signature(h(v["sig_der"])))


def test_invalid_signatures(vectors, backend):
    for v in vectors["sm2_verify_invalid"]:
        public, message, uid = point(v), h(v["msg"]), h(v["uid"])
        if "sig_raw" in v:
            assert sm.verify(public, message, h(v["sig_raw"]), uid) is False, v["id"]
        if "sig_der" in v:
            try:
                raw = sm.signature_from_der(h(v["sig_der"]))
            except InvalidEncoding:
                continue
            assert sm.verify(public, message, raw, uid) is False, v["id"]


def test_invalid_public_keys(vectors):
    for v in vectors["sm2_public_key_invalid"]:
        with pytest.raises(InvalidKey):
            sm.verify(h(v["point"]), b"m", bytes(64))


def test_invalid_private_keys(vectors, backend):
    for v in vectors["sm2_private_key_invalid"]:
        with pytest.raises(InvalidKey):
            sm.sign(h(v["d"]), b"m")
        with pytest.raises(InvalidKey):
            sm.decrypt(h(v["d"]), bytes(200))


def test_largest_and_smallest_private_keys_sign(backend):
    for d in (1, 2, pure.N - 2):
        scalar = d.to_bytes(32, "big")
        assert sm.verify(sm.public_from_private(scalar), b"m", sm.sign(scalar, b"m"))


def test_encrypt_vectors(vectors):
    for v in vectors["sm2_encrypt"]:
        raw, message = h(v["ct_c1c3c2"]), h(v["msg"])
        assert sm.encrypt_with_nonce(point(v), message, int(v["k"], 16)) == raw
        assert sm.decrypt(h(v["d"]), raw, min_plaintext_bytes=1) == message
        assert der.encode_ciphertext(raw) == h(v["ct_der"])
        assert der.decode_ciphertext(h(v["ct_der"])) == raw


def test_decrypt_vectors(vectors):
    for v in vectors["sm2_decrypt"]:
        raw = der.decode_ciphertext(h(v["ct_der"]))
        assert sm.decrypt(h(v["d"]), raw, min_plaintext_bytes=1) == h(v["msg"])


def test_invalid_ciphertexts(vectors):
    for v in vectors["sm2_decrypt_invalid"]:
        if "ct_c1c3c2" in v:
            with pytest.raises(DecryptionFailed):
                sm.decrypt(h(v["d"]), h(v["ct_c1c3c2"]), min_plaintext_bytes=1)
        if "ct_der" in v:
            with pytest.raises((DecryptionFailed, InvalidEncoding)):
                sm.decrypt(h(v["d"]), der.decode_ciphertext(h(v["ct_der"])), min_plaintext_bytes=1)


def test_short_plaintexts_are_refused_by_policy(vectors):
    d, public = sm.generate_keypair()
    with pytest.raises(InvalidKey):
        sm.encrypt(public, b"x" * 15)
    with pytest.raises(InvalidKey):
        sm.encrypt(public, b"", min_plaintext_bytes=0)
    with pytest.raises(DecryptionFailed):
        sm.decrypt(d, sm.encrypt(public, b"x" * 15, min_plaintext_bytes=1))
    assert sm.decrypt(d, sm.encrypt(public, b"x" * 16)) == b"x" * 16


def test_key_files(vectors):
    plain = [v for v in vectors["sm2_keys"] if "pkcs8_der" in v]
    assert len(plain) == 1  # the other three are PBES2 files, which this package does not read
    for v in plain:
        d, public = h(v["d"]), h(v["pub_uncompressed"])
        assert der.encode_pkcs8(d, public) == h(v["pkcs8_der"])
        assert der.encode_spki(public) == h(v["spki_der"])
        assert sm.load_private_pem(sm.save_private_pem(d)) == d
        assert sm.load_private_pem(der.encode_pem("PRIVATE KEY", der.encode_pkcs8_bare(d))) == d
        assert sm.load_public_pem(sm.save_public_pem(public)) == public
        for wrong in (v["sec1_der"], v["pkcs8_der"] + "00", v["spki_der"], v["pkcs8_der"][:-2]):
            with pytest.raises(InvalidEncoding):
                sm.load_private_pem(der.encode_pem("PRIVATE KEY", h(wrong)))
        other = sm.generate_keypair()[1]
        with pytest.raises(InvalidEncoding):
            sm.load_private_pem(der.encode_pem("PRIVATE KEY", der.encode_pkcs8(d, other)))
        with pytest.raises(InvalidKey):
            sm.load_public_pem(der.encode_pem("PUBLIC KEY", der.encode_spki(public[:-1] + b"\x00")))
    for text in ("", "x", "-----BEGIN PUBLIC KEY-----\n!!\n-----END PUBLIC KEY-----"):
        with pytest.raises(InvalidEncoding):
            sm.load_public_pem(text)
    for v in vectors["sm2_keys"]:
        if "pbes2_der" in v:
            with pytest.raises(InvalidEncoding):
                sm.load_private_pem(der.encode_pem("PRIVATE KEY", h(v["pbes2_der"])))
