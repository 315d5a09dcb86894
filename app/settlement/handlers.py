"""Reactions of settlement: each fact of money becomes a voucher, once per cause."""

from __future__ import annotations

from collections.abc import Sequence

from app.aftersales.events import CompensationPaid, UnitsRefunded
from app.core.events import in_batches
from app.merchants.events import MerchantApproved
from app.orders.events import OrderCancelled, OrderCompleted, OrderPaid
from app.payments.events import PaymentReceived, PaymentRefunded, StrayPaymentReceived, WalletCredited
from app.settlement.service import rates, release, splitting
from app.settlement.service.ledger import instant
from app.settlement.service.splitting import FREIGHT, Given, Units


@in_batches
def on_payment_received(received: Sequence[PaymentReceived]) -> None:
    """Book the payments of trades."""
    splitting.book_receipts(received)


def on_stray_payment_received(event: StrayPaymentReceived) -> None:
    """Book money that goes back."""
    splitting.book_stray(event.notice_id, event.amount_fen, event.channel, event.channel_txn, instant(event.at_us))


def on_payment_refunded(event: PaymentRefunded) -> None:
    """Book a refund the channel carried out."""
    splitting.book_refund(event.refund_id, event.amount_fen, event.channel, event.refund_no, instant(event.at_us), event.bonus_fen)


def on_wallet_credited(event: WalletCredited) -> None:
    """Book stored value that was paid in and what was given with it."""
    splitting.book_top_up(event.slip_id, event.amount_fen, event.bonus_fen, event.slip_no, instant(event.at_us))


@in_batches
def on_order_paid(paid: Sequence[OrderPaid]) -> None:
    """Freeze the rates and split the orders."""
    splitting.split_all([event.order_id for event in paid])


@in_batches
def on_order_completed(completed: Sequence[OrderCompleted]) -> None:
    """Set the moments of release."""
    release.plan_all([event.order_id for event in completed])


def on_order_cancelled(event: OrderCancelled) -> None:
    """Take a paid order's split back."""
    if event.was_paid:
        release.cancelled(event.order_id)


def on_units_refunded(event: UnitsRefunded) -> None:
    """Take the units of an after-sale case back from everybody."""
    units = [Units(event.line_id, event.units)] + ([Units(FREIGHT, 1)] if event.has_freight else [])
    release.units_refunded(event.case_id, event.order_id, units, Given(event.cash_fen, event.buyer_fee_fen, event.merchant_fee_fen))


def on_compensation_paid(event: CompensationPaid) -> None:
    """Charge a compensation to the merchant."""
    release.compensated(event.case_id, event.order_id, event.amount_fen)


def on_merchant_approved(event: MerchantApproved) -> None:
    """Give a new merchant its first year without commission."""
    rates.grant_first_year(event.merchant_id)
