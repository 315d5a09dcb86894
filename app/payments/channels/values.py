"""What the gateway and its channels say to each other. Amounts in fen, instants aware UTC (commerce.md §2.7)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Protocol

from app.core.errors import Invalid, Upstream

PAYMENT, REFUND = "payment", "refund"
RESULTS = {"paid", "failed", "foreign", "done"}


class ChannelRefused(Upstream):
    """The channel answered that it did not do it; params: reason, the channel's own code."""


class ChannelUnclear(Upstream):
    """The channel's answer leaves the outcome open: ask again, with the same number."""


@dataclass(frozen=True)
class Notice:
    """What a channel says: result paid | failed | foreign of a payment, done | failed of a refund, and its own number.

    foreign: rightly signed, but of another merchant, application or currency. refund_no is ours, for refunds.
    """

    notice_id: str
    payment_no: str
    amount_fen: int
    result: str
    channel_txn: str
    kind: str = PAYMENT
    refund_no: str = "-"

    def dump(self) -> str:
        """Return the facts as they are stored beside the received body."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))


def load_notice(text: str) -> Notice:
    """Return stored facts, or the simulated channel's body. Raises Invalid(`payment.notice`)."""
    try:
        raw = json.loads(text)
        notice = Notice(
            notice_id=str(raw["notice_id"]), payment_no=str(raw["payment_no"]), amount_fen=int(raw["amount_fen"]),
            result=str(raw["result"]), channel_txn=str(raw["channel_txn"]), kind=str(raw.get("kind", PAYMENT)),
            refund_no=str(raw.get("refund_no", "-")),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Invalid("payment.notice", "支付通知格式不正确") from None
    if notice.result not in RESULTS or notice.amount_fen < 0 or len(notice.notice_id) > 64 or len(notice.channel_txn) > 64:
        raise Invalid("payment.notice", "支付通知内容不正确")
    return notice


@dataclass(frozen=True)
class Part:
    """One merchant's part of a combined payment."""

    payment_no: str
    amount_fen: int
    subject: str


@dataclass(frozen=True)
class Payable:
    """What a channel is asked to collect. scene: qr (desktop) | h5 (telephone browser) | jsapi (inside the channel's own app)."""

    payment_no: str
    amount_fen: int
    subject: str
    expires_at: datetime
    notify_url: str
    scene: str = "qr"
    client_address: str = "127.0.0.1"
    payer_id: str = ""
    return_url: str = ""


@dataclass(frozen=True)
class Started:
    """How the buyer pays now. kind: qr (value is the code's text) | link (value is the channel's page) | jsapi (JSON parameters)."""

    kind: str
    value: str


@dataclass(frozen=True)
class PaymentState:
    """What a channel says when asked about a payment. state: paid | waiting | closed | failed | missing."""

    state: str
    amount_fen: int = 0
    channel_txn: str = "-"


@dataclass(frozen=True)
class RefundOrder:
    """Money to give back of a payment; refund_no repeats when the order is sent again, total_fen is the whole payment."""

    refund_no: str
    payment_no: str
    channel_txn: str
    amount_fen: int
    total_fen: int
    reason: str
    notify_url: str = ""


@dataclass(frozen=True)
class RefundState:
    """What became of a refund. state: done | accepted | failed | missing; detail: the channel's words about a failure."""

    state: str
    channel_refund: str = "-"
    detail: str = "-"


@dataclass(frozen=True)
class Limits:
    """What a channel allows: refunds of one payment, days after it, seconds between two; 0 means no limit."""

    refunds: int = 0
    days: int = 0
    interval_s: int = 0


class Channel(Protocol):
    """A channel that is reached over the network. Every verb may raise NotSent, Unanswered, ChannelRefused and ChannelUnclear."""

    key: str
    title: str
    scenes: tuple[str, ...]
    limits: Limits

    def create(self, payable: Payable) -> Started:
        """Announce a payment; the same payment_no again is the same payment."""

    def query(self, payment_no: str) -> PaymentState:
        """Ask what became of a payment."""

    def close(self, payment_no: str) -> None:
        """Make a payment unpayable; closing what is closed or unknown succeeds."""

    def refund(self, order: RefundOrder) -> RefundState:
        """Order a refund; acceptance is not success."""

    def query_refund(self, order: RefundOrder) -> RefundState:
        """Ask what became of a refund."""

    def verify(self, headers: Mapping[str, str], body: bytes) -> Notice:
        """Verify and read a notice; headers by lower-case name. Raises Forbidden(`payment.signature`), Invalid(`payment.notice`)."""

    def reply(self, *, accepted: bool) -> tuple[int, str, str]:
        """Return (status, content type, body) of the answer to a notice."""

    def bill(self, day: date) -> Sequence[str]:
        """Return the lines of a day's bill in the form `settlement.bill_file` reads; its hash is checked."""

    def facts(self) -> Sequence[tuple[str, str]]:
        """Return (label, value) pairs for the operator's page: no secret, only what names a key."""
