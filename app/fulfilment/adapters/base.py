"""What every carrier can do, as values; and the one function through which calls leave."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from app.core import clock, egress
from app.core.errors import Invalid, Upstream

SHANGHAI_FORM = "%Y-%m-%d %H:%M:%S"
OLDEST = timedelta(minutes=10)


class BadSignature(Invalid):
    """A push whose signature does not fit; nothing of it is used (`carrier.signature`)."""


class Refused(Upstream):
    """The carrier answered and said no; nothing was made (`carrier.refused`). A call that was not answered raises egress.Unanswered."""


@dataclass(frozen=True)
class Shipment:
    """What an e-waybill is asked for. reference: ours, the same for every repeat, by which the carrier makes one only."""

    reference: str
    receiver: str
    receiver_phone: str
    receiver_address: str
    sender: str
    sender_phone: str
    sender_address: str
    goods: str
    weight_g: int
    temperature: str = "ambient"


@dataclass(frozen=True)
class Scan:
    """One report of a parcel. kind: a key of `states.RANKS`, or the carrier's own word for what moves nothing."""

    tracking_no: str
    key: str
    kind: str
    place: str
    text: str
    at: datetime


@dataclass(frozen=True)
class Push:
    """A push as it came in: headers by lower-case name."""

    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes


class Adapter(Protocol):
    """A carrier behind its interface. All but `read_push` call out: never in a transaction."""

    def create(self, shipment: Shipment) -> str:
        """Make an e-waybill and return its number; the same reference returns the same number."""

    def cancel(self, tracking_no: str, reference: str) -> None:
        """Take an e-waybill back that was not collected yet."""

    def track(self, tracking_no: str) -> list[Scan]:
        """Return what is known of a parcel, oldest first."""

    def read_push(self, push: Push) -> list[Scan]:
        """Return the scans of a push. Raises BadSignature, Invalid(`carrier.push`) for what cannot be read."""

    def accepted(self) -> tuple[str, bytes]:
        """Return (content type, body) of the answer that tells the carrier not to push again."""


def send(key: str, url: str, headers: Mapping[str, str], body: bytes, purpose: str) -> Any:
    """POST and return the JSON answered. Raises egress.NotSent, egress.Unanswered, Refused for anything but 200 with JSON."""
    answer = egress.call("POST", url, headers=headers, body=body, purpose=f"{key}.{purpose}")
    if answer.status != 200:
        raise Refused("carrier.refused", f"承运商接口应答 {answer.status}")
    try:
        return json.loads(answer.body)
    except ValueError:
        raise egress.Unanswered("egress.unanswered", "承运商的应答无法识别") from None


def refused(code: Any, message: Any) -> Refused:
    """Return the refusal in the carrier's words."""
    return Refused("carrier.refused", f"承运商未受理：{str(message)[:100]}（{str(code)[:40]}）")


def local_time(text: str) -> datetime:
    """Return the instant of `2026-11-25 09:00:00` in the region's time. Raises Invalid(`carrier.push`)."""
    try:
        return datetime.strptime(text, SHANGHAI_FORM).replace(tzinfo=clock.REGION_TZ)
    except (TypeError, ValueError):
        raise Invalid("carrier.push", "推送中的时间无法识别") from None


def fresh(epoch_s: int) -> None:
    """Raise BadSignature for a push signed long ago or in the future: a recorded one must not be replayed."""
    if abs(clock.now().timestamp() - epoch_s) > OLDEST.total_seconds():
        raise BadSignature("carrier.signature", "推送已过期")


def same(wanted: str, sent: str) -> bool:
    """Tell whether two signatures are equal, in a time that tells nothing about where they differ."""
    return hmac.compare_digest(wanted.encode(), sent.encode("utf-8", "replace"))


def compact(value: Any) -> str:
    """Return JSON as it is signed and sent."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def loaded(text: bytes | str) -> Any:
    """Return the JSON of a push. Raises Invalid(`carrier.push`)."""
    try:
        return json.loads(text)
    except ValueError:
        raise Invalid("carrier.push", "推送内容无法识别") from None
