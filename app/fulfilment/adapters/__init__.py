"""Carriers by API: one adapter each, built from the settings; a carrier without an account there is shipped with by hand (T21)."""

from __future__ import annotations

from app.core import runtime
from app.core.errors import NotFound
from app.fulfilment.adapters.base import Adapter, BadSignature, Push, Refused, Scan, Shipment
from app.fulfilment.adapters.city import City
from app.fulfilment.adapters.jd import Jd
from app.fulfilment.adapters.sf import Sf
from app.fulfilment.adapters.zto import Zto
from app.payments.channels import secrets
from config.settings import CarrierAccount

__all__ = ["Adapter", "BadSignature", "Push", "Refused", "Scan", "Shipment", "connected", "get"]
KEYS = ("sf", "zto", "jd", "local")


def _account(key: str) -> CarrierAccount:
    account: CarrierAccount = getattr(runtime.current().settings.carriers, key)
    return account


def connected() -> list[str]:
    """Return the carriers that have an account in the settings."""
    return [key for key in KEYS if _account(key).app_id]


def get(key: str) -> Adapter:
    """Return a carrier's adapter. Raises NotFound for one without an account, Conflict for a secret that cannot be opened."""
    if key not in connected():
        raise NotFound("carrier.missing", "未接入此承运商")
    account = _account(key)
    secret = secrets.opened(account.secret, f"carriers.{key}.secret")
    url = account.base_url.rstrip("/")
    if key == "sf":
        return Sf(url, account.app_id, secret)
    if key == "zto":
        return Zto(url, account.app_id, secret)
    return Jd(url, account.app_id, secret) if key == "jd" else City(url, account.app_id, secret)
