"""Back ends against each other, strict DER, user ids."""

import random

import pytest

from security import der, sm
from security.errors import InvalidEncoding, InvalidKey
from security.sm2_backends import probe, pure

MESSAGES = 1000


def biased(source, size=32):
    """Random bytes, often with leading zeros: there padding mistakes show (trap T13)."""
    zeros = source.choice((0, 0, 1, 1, 2, 8))
    return bytes(zeros) + source.randbytes(size - zeros)


def short_signature(source, d, e):
    """A signature whose r or s starts with a zero byte, found by trying nonces."""
    while True:
        k = source.randrange(1, pure.N)
        raw = pure.sign_with_nonce(int.from_bytes(d, "big"), int.from_bytes(e, "big"), k)
        if raw and (raw[0] == 0 or raw[32] == 0):
            return raw


def test_back_ends_agree():
    """Each message is signed by one back end in turn and verified by all, then once more changed."""
    source = random.Random(20261122)
    backends = list(probe().usable.values())
    for number in range(MESSAGES):
        d, e = biased(source), biased(source)
        points = {b.public_point(d) for b in backends}
        assert len(points) == 1
        public = points.pop()
        signature = backends[number % len(backends)].sign_e(d, e)
        position = source.randrange(64)
        changed = (signature[:position] + bytes([signature[position] ^ 1 << source.randrange(8)])
                   + signature[position + 1:])
        for b in backends:
            assert b.verify_e(public, e, signature), (b.name, number)
        fast = backends[number % max(1, len(backends) - 1)]
        assert not fast.verify_e(public, e, changed), (fast.name, number)


def test_signatures_with_leading_zeros():
    source = random.Random(7)
    for _ in range(4):
        d, e = biased(source), biased(source)
        public = pure.PureBackend().public_point(d)
        raw = short_signature(source, d, e)
        assert der.decode_signature(der.encode_signature(raw)) == raw
        for b in probe().usable.values():
            assert b.verify_e(public, e, raw), b.name


def test_der_accepts_only_what_it_writes():
    source = random.Random(11)
    accepted = 0
    for _ in range(20_000):
        raw = biased(source) + biased(source)
        encoded = bytearray(der.encode_signature(raw))
        for _ in range(source.randrange(1, 3)):
            action, at = source.randrange(4), source.randrange(len(encoded))
            if action == 0:
                encoded[at] ^= 1 << source.randrange(8)
            elif action == 1:
                del encoded[at]
            elif action == 2:
                encoded.insert(at, source.choice((0, 1, 0x7F, 0x80, 0x81, 0xFF)))
            else:
                encoded.append(source.randrange(256))
        try:
            found = der.decode_signature(bytes(encoded))
        except InvalidEncoding:
            continue
        accepted += 1
        assert der.encode_signature(found) == encoded
    assert accepted  # flips inside a number stay canonical, so the loop did reach the decoder's end


def test_ciphertext_der_is_canonical():
    source = random.Random(13)
    public = sm.generate_keypair()[1]
    raw = sm.encrypt(public, b"sixteen bytes ok")
    encoded = der.encode_ciphertext(raw)
    assert der.decode_ciphertext(encoded) == raw
    for _ in range(5_000):
        changed = bytearray(encoded)
        changed[source.randrange(len(changed))] ^= 1 << source.randrange(8)
        try:
            found = der.decode_ciphertext(bytes(changed))
        except InvalidEncoding:
            continue
        assert der.encode_ciphertext(found) == changed


@pytest.mark.parametrize("size", [0, 1, 16, 17, 8191])
def test_user_id_matrix(backend, size):
    """A signature verifies with its own id only; the empty id is not the default one (trap T1)."""
    d, public = sm.generate_keypair()
    ids = [sm.DEFAULT_ID, b"", b"ALICE123@YAHOO.COM", b"u" * size]
    for used in ids:
        signature = sm.sign(d, b"order", used)
        for tried in ids:
            assert sm.verify(public, b"order", signature, tried) is (used == tried)


def test_user_id_over_16_bit_length_is_refused():
    d, _ = sm.generate_keypair()
    with pytest.raises(InvalidKey):
        sm.sign(d, b"m", b"u" * 8192)


def test_tongsuopy_public_interface_agrees():
    """Witness over the whole path, ZA included: the library's own hashing with its default id."""
    ec = pytest.importorskip("tongsuopy.crypto.asymciphers.ec", reason="no tongsuopy wheel on this platform")
    hashes = pytest.importorskip("tongsuopy.crypto.hashes")
    d, public = sm.generate_keypair()
    key = ec.derive_private_key(int.from_bytes(d, "big"), ec.SM2())
    encoded = key.sign(b"message", ec.ECDSA(hashes.SM3()))
    assert sm.verify(public, b"message", sm.signature_from_der(encoded))
    key.public_key().verify(sm.signature_to_der(sm.sign(d, b"message")), b"message", ec.ECDSA(hashes.SM3()))


def test_gmssl_agrees():
    """Independent implementation: verifies ours, and opens our ciphertext (raw, no 04, mode C1C3C2)."""
    module = pytest.importorskip("gmssl.sm2", reason="gmssl is not installed")
    d, public = sm.generate_keypair()
    witness = module.CryptSM2(private_key=d.hex(), public_key="", mode=1)
    witness.public_key = public[1:].hex()  # not through the constructor, which strips digits (T7)
    assert witness.verify_with_sm3(sm.sign(d, b"message").hex(), b"message")
    assert witness.decrypt(sm.encrypt(public, b"a secret of 16 b")[1:]) == b"a secret of 16 b"
    assert sm.decrypt(d, b"\x04" + witness.encrypt(b"a secret of 16 b")) == b"a secret of 16 b"
