"""Password hashes and tokens."""

import base64

import pytest

from security import passwords, tokens
from security.errors import InvalidKey, TokenExpired, TokenInvalid

FLOOR = passwords.FLOOR_ITERATIONS


def test_round_trip():
    stored = passwords.hash_password("正确 horse", iterations=FLOOR)
    assert stored.startswith(f"$pbkdf2-sm3$i={FLOOR}$")
    assert passwords.verify_password("正确 horse", stored)
    assert not passwords.verify_password("正确 horse ", stored)
    assert stored != passwords.hash_password("正确 horse", iterations=FLOOR)


def test_default_cost():
    stored = passwords.hash_password("p")
    assert "$i=600000$" in stored
    assert passwords.verify_password("p", stored)
    assert not passwords.needs_rehash(stored)


def test_full_width_typing_matches():
    assert passwords.verify_password("abc123", passwords.hash_password("ａｂｃ１２３", iterations=FLOOR))


def test_floor_and_caps():
    for iterations in (0, 1023, FLOOR - 1, passwords.CEILING_ITERATIONS + 1):
        with pytest.raises(InvalidKey):
            passwords.hash_password("p", iterations=iterations)
    stored = passwords.hash_password("x" * 128, iterations=FLOOR)
    assert passwords.verify_password("x" * 128, stored)
    assert not passwords.verify_password("x" * 129, stored)
    for password in ("", "x" * 129, "密" * 43):
        with pytest.raises(InvalidKey):
            passwords.hash_password(password, iterations=FLOOR)


def test_unreadable_hashes_verify_false():
    stored = passwords.hash_password("p", iterations=FLOOR)
    _, name, cost, salt, digest = stored.split("$")
    for bad in ("", "$", "p", f"${name}$i=9999${salt}${digest}", f"${name}$i=99999999${salt}${digest}",
                f"${name}$i=+10000${salt}${digest}", f"${name}$i=１００００${salt}${digest}",
                f"${name}${cost}${salt[:-3]}${digest}", f"${name}${cost}${salt}$", f"${name}${cost}$!!${digest}",
                f"$md5${cost}${salt}${digest}", stored + "$"):
        assert passwords.verify_password("p", bad) is False, bad
        assert passwords.needs_rehash(bad)


def test_needs_rehash():
    stored = passwords.hash_password("p", iterations=FLOOR)
    assert passwords.needs_rehash(stored)
    assert passwords.needs_rehash(stored, FLOOR + 1)
    assert not passwords.needs_rehash(stored, FLOOR)


SIGNER = tokens.TokenSigner(bytes(range(32)))


def test_token_round_trip():
    token = SIGNER.sign({"账号": 7}, "reset", 60, 1_000)
    assert SIGNER.verify(token, "reset", 1_000) == {"账号": 7}
    assert SIGNER.verify(token, "reset", 1_059) == {"账号": 7}


def test_token_expiry_and_clock():
    token = SIGNER.sign({}, "reset", 60, 1_000)
    with pytest.raises(TokenExpired):
        SIGNER.verify(token, "reset", 1_060)
    with pytest.raises(TokenInvalid, match="future"):
        SIGNER.verify(token, "reset", 900)


def test_token_is_bound_to_purpose_and_key():
    token = SIGNER.sign({"a": 1}, "reset", 60, 1_000)
    with pytest.raises(TokenInvalid):
        SIGNER.verify(token, "login", 1_000)
    with pytest.raises(TokenInvalid):
        tokens.TokenSigner(bytes(32)).verify(token, "reset", 1_000)
    with pytest.raises(InvalidKey):
        tokens.TokenSigner(b"short")


def test_every_changed_character_is_refused():
    token = SIGNER.sign({"a": 1}, "reset", 60, 1_000)
    for position, old in enumerate(token):
        for new in {"A", "B", "_", ".", "=", "é"} - {old}:
            with pytest.raises(TokenInvalid):
                SIGNER.verify(token[:position] + new + token[position + 1:], "reset", 1_000)
    for bad in ("", ".", "..", "a", token + "=", token + ".x", token.split(".")[0] + ".", "x" * 5000,
                base64.b64encode(b"{}").decode() + ".AAAA"):
        with pytest.raises(TokenInvalid):
            SIGNER.verify(bad, "reset", 1_000)


def test_oversized_and_inexact_payloads():
    with pytest.raises(TokenInvalid):
        SIGNER.sign({"a": "x" * 5000}, "reset", 60, 1_000)
    with pytest.raises(ValueError, match="JSON"):
        SIGNER.sign({"a": float("nan")}, "reset", 60, 1_000)


def test_random_tokens():
    made = {tokens.random_token() for _ in range(100)}
    assert len(made) == 100
    assert all(len(token) == 43 for token in made)
    assert len(tokens.digest(made.pop())) == 64
    with pytest.raises(InvalidKey):
        tokens.random_token(8)
    assert "00" not in repr(SIGNER)
