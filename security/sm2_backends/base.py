"""The interface of an SM2 back end. Inputs are already range-checked by the facade."""

from typing import Protocol


class Sm2Backend(Protocol):
    """Prehash SM2: never sees a message or a user id, so its default id cannot matter (T1, T2)."""

    name: str

    def public_point(self, d: bytes) -> bytes:
        """04||x||y (65 bytes) of the 32-byte private scalar."""

    def sign_e(self, d: bytes, e: bytes) -> bytes:
        """Raw r||s over the 32-byte e = SM3(ZA||M); SigningFailed if the library refuses."""

    def verify_e(self, point: bytes, e: bytes, signature: bytes) -> bool:
        """True when raw r||s verifies; never raises for a bad signature."""
