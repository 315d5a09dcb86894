"""Errors of the security package; all derive from SecurityError so that one door can catch them."""


class SecurityError(Exception):
    """Base of every error raised here. Messages never contain key material or plaintext."""


class InvalidKey(SecurityError, ValueError):
    """A private scalar, public point or symmetric key is malformed or out of range."""


class InvalidEncoding(SecurityError, ValueError):
    """Input is not the one canonical encoding (strict DER, raw length, PEM)."""


class DecryptionFailed(SecurityError):
    """Authentication of a ciphertext failed; deliberately says no more than that."""


class SigningFailed(SecurityError):
    """A back end could not sign, or its signature did not verify (fault check)."""


class BackendUnavailable(SecurityError):
    """A back end is not installed or lacks SM2 here; the next one is tried."""


class BackendSabotaged(SecurityError):
    """A back end is present but its calls reach a foreign library (gmcrypto trap T2)."""


class SelfTestFailed(SecurityError):
    """A known answer or a cross-check differs; the application must not start."""


class KeyringError(SecurityError):
    """The keyring cannot be read, was changed outside, or the request is not allowed."""


class KeyUnavailable(KeyringError):
    """No usable key of that purpose and version (unknown, pre-active, disabled or destroyed)."""


class FieldTampered(SecurityError):
    """A stored field is malformed, was changed, or was moved from another row or column."""


class TokenInvalid(SecurityError):
    """A token is malformed, has a wrong MAC or was made for another purpose."""


class TokenExpired(TokenInvalid):
    """A genuine token past its time."""
