"""SM2 back ends in order of preference; each offers prehash operations only (gmcrypto decision 2)."""

from collections.abc import Callable
from dataclasses import dataclass, field

from security.errors import BackendSabotaged, BackendUnavailable
from security.sm2_backends import libcrypto, pure, tongsuo
from security.sm2_backends.base import Sm2Backend

OPENERS: dict[str, Callable[[], Sm2Backend]] = {
    "tongsuopy": tongsuo.open_backend,
    "libcrypto": libcrypto.open_backend,
    "pure": pure.open_backend,
}


@dataclass
class Probe:
    """What is usable here: back ends by name, and why the others are not."""

    usable: dict[str, Sm2Backend] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    sabotaged: dict[str, str] = field(default_factory=dict)


def probe() -> Probe:
    """Try every back end; the pure one always answers, so `usable` is never empty."""
    found = Probe()
    for name, opener in OPENERS.items():
        try:
            found.usable[name] = opener()
        except BackendSabotaged as error:
            found.sabotaged[name] = str(error)
        except BackendUnavailable as error:
            found.absent[name] = str(error)
    return found
