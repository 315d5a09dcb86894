"""SM2 in plain Python: last back end, reference of the self-test, and curve arithmetic for encryption.

Variable time. Fine for verifying; signing with it leaks timing to a local attacker, which is why it
is the last choice (gmcrypto section 2, side channels).
"""

import secrets
from functools import lru_cache

P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
GX = 0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7
GY = 0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0

Jacobian = tuple[int, int, int]
Affine = tuple[int, int]
_INFINITY: Jacobian = (1, 1, 0)


def on_curve(x: int, y: int) -> bool:
    """Both coordinates reduced and y^2 = x^3 + ax + b."""
    return 0 <= x < P and 0 <= y < P and (y * y - (x * x + A) * x - B) % P == 0


def _double(point: Jacobian) -> Jacobian:
    x, y, z = point
    if not z or not y:
        return _INFINITY
    zz, yy = z * z % P, y * y % P
    beta = x * yy % P
    alpha = 3 * (x - zz) * (x + zz) % P  # a = -3
    x3 = (alpha * alpha - 8 * beta) % P
    return x3, (alpha * (4 * beta - x3) - 8 * yy * yy) % P, ((y + z) ** 2 - yy - zz) % P


def _add(one: Jacobian, two: Jacobian) -> Jacobian:
    x1, y1, z1 = one
    x2, y2, z2 = two
    if not z1:
        return two
    if not z2:
        return one
    zz1, zz2 = z1 * z1 % P, z2 * z2 % P
    u1, u2 = x1 * zz2 % P, x2 * zz1 % P
    s1, s2 = y1 * z2 * zz2 % P, y2 * z1 * zz1 % P
    if u1 == u2:
        return _double(one) if s1 == s2 else _INFINITY
    h, r = u2 - u1, s2 - s1
    hh = h * h % P
    hhh, v = h * hh % P, u1 * hh % P
    x3 = (r * r - hhh - 2 * v) % P
    return x3, (r * (v - x3) - s1 * hhh) % P, z1 * z2 * h % P


def to_affine(point: Jacobian) -> Affine | None:
    """Affine coordinates, or None for the point at infinity."""
    x, y, z = point
    if not z:
        return None
    inverse = pow(z, -1, P)
    square = inverse * inverse % P
    return x * square % P, y * square * inverse % P


@lru_cache(maxsize=1)
def _comb() -> list[list[Jacobian]]:
    """row[i][j] = j * 256^i * G. Built on first use: a process that has tongsuopy never pays for it."""
    rows, base = [], (GX, GY, 1)
    for _ in range(32):
        row = [_INFINITY, base]
        for _ in range(254):
            row.append(_add(row[-1], base))
        rows.append(row)
        base = _add(row[-1], base)
    return rows


def multiply_g(scalar: int) -> Jacobian:
    """scalar * G by an 8-bit comb."""
    total, rows = _INFINITY, _comb()
    for i in range(32):
        digit = scalar >> (8 * i) & 0xFF
        if digit:
            total = _add(total, rows[i][digit])
    return total


def multiply(scalar: int, x: int, y: int) -> Jacobian:
    """scalar * (x, y) by a 4-bit window; the caller has checked the curve equation."""
    table = [_INFINITY, (x, y, 1)]
    for _ in range(14):
        table.append(_add(table[-1], table[1]))
    total = _INFINITY
    for shift in range(252, -1, -4):
        total = _double(_double(_double(_double(total))))
        digit = scalar >> shift & 0xF
        if digit:
            total = _add(total, table[digit])
    return total


def encode_point(x: int, y: int) -> bytes:
    """04||x||y, each coordinate padded to 32 bytes (trap T13)."""
    return b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")


def sign_with_nonce(d: int, e: int, k: int) -> bytes | None:
    """Raw r||s of GB/T 32918.2 clause 6.1 for a given k, or None when this k must be thrown away."""
    point = to_affine(multiply_g(k))
    if point is None:
        return None
    r = (e + point[0]) % N
    if r == 0 or r + k == N:
        return None
    s = pow(1 + d, -1, N) * (k - r * d) % N
    if s == 0:
        return None
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


class PureBackend:
    """Everything above behind the back-end interface."""

    name = "pure"

    def public_point(self, d: bytes) -> bytes:
        """See Sm2Backend."""
        point = to_affine(multiply_g(int.from_bytes(d, "big")))
        if point is None:
            raise ValueError("scalar is a multiple of the order")
        return encode_point(*point)

    def sign_e(self, d: bytes, e: bytes) -> bytes:
        """See Sm2Backend. k comes from the operating system, never from `random` (trap T6)."""
        while True:
            k = secrets.randbelow(N - 1) + 1
            signature = sign_with_nonce(int.from_bytes(d, "big"), int.from_bytes(e, "big"), k)
            if signature is not None:
                return signature

    def verify_e(self, point: bytes, e: bytes, signature: bytes) -> bool:
        """See Sm2Backend; GB/T 32918.2 clause 7.1."""
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        t = (r + s) % N
        if len(signature) != 64 or not 1 <= r < N or not 1 <= s < N or t == 0:
            return False
        x, y = int.from_bytes(point[1:33], "big"), int.from_bytes(point[33:], "big")
        total = to_affine(_add(multiply_g(s), multiply(t, x, y)))
        return total is not None and (int.from_bytes(e, "big") + total[0]) % N == r


def open_backend() -> PureBackend:
    """Always available."""
    return PureBackend()
