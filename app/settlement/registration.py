"""What settlement hands to the registry."""

from __future__ import annotations

from typing import Any

from app.aftersales.events import CompensationPaid, UnitsRefunded
from app.core.domain import Domain
from app.core.periodic import Periodic
from app.merchants.events import MerchantApproved
from app.orders import dividing as order_dividing
from app.orders.events import OrderCancelled, OrderCompleted, OrderPaid
from app.payments.events import PaymentReceived, PaymentRefunded, StrayPaymentReceived, WalletCredited
from app.settlement import handlers, merchant, operator
from app.settlement import operator_books as _books  # noqa: F401 - adds its views to the operator blueprint
from app.settlement import operator_recon as _recon  # noqa: F401 - adds its views to the operator blueprint
from app.settlement.permissions import PERMISSIONS
from app.settlement.queries import books
from app.settlement.service import bills, closing, dividing, payouts, release
from app.web.menus import MenuEntry


def _verify() -> None:
    """Prove the books; a difference fails the job, so that it is parked and seen."""
    found = books.verify()
    if found:
        first = found[0]
        raise RuntimeError(f"{len(found)} differences in the books; first: {first.what} {first.row_id} is off by {first.fen} fen")


def _release(payload: dict[str, Any]) -> None:
    release.release(int(payload["order_id"]))


def _close(payload: dict[str, Any]) -> None:
    closing.close(int(payload["merchant_id"]), int(payload["month_no"]))


def _compare(payload: dict[str, Any]) -> None:
    bills.compare(int(payload["bill_id"]))


def _automatic(payload: dict[str, Any]) -> None:
    payouts.claim_automatic(int(payload["merchant_id"]))


def _recheck() -> None:
    bills.fetch_yesterday()
    bills.recheck_recent()


MENU = (
    MenuEntry("merchant", "资金", "账户总览", "/merchant/funds", "wallet", "funds.view", 10),
    MenuEntry("merchant", "资金", "对账单", "/merchant/statements", "file-text", "funds.view", 20),
    MenuEntry("merchant", "资金", "提现", "/merchant/payouts", "banknote", "funds.view", 30),
    MenuEntry("merchant", "资金", "保证金", "/merchant/deposit", "shield-check", "funds.view", 40),
    MenuEntry("operator", "资金", "平台收支", "/operator/finance", "chart-column", "finance.view", 10),
    MenuEntry("operator", "资金", "分账订单", "/operator/finance/orders", "split", "finance.view", 20),
    MenuEntry("operator", "资金", "分账规则", "/operator/finance/rates", "percent", "finance.view", 30),
    MenuEntry("operator", "资金", "提现审批", "/operator/finance/payouts", "banknote", "finance.view", 40),
    MenuEntry("operator", "资金", "渠道对账", "/operator/finance/bills", "scale", "finance.view", 50),
    MenuEntry("operator", "资金", "对账案例", "/operator/finance/cases", "triangle-alert", "finance.view", 60),
    MenuEntry("operator", "资金", "总账", "/operator/finance/ledger", "book-open", "finance.view", 70),
    MenuEntry("operator", "资金", "凭证", "/operator/finance/vouchers", "receipt", "finance.view", 80),
)


def domain() -> Domain:
    """Return the domain."""
    return Domain(
        name="settlement",
        routes=(merchant.bp, operator.bp),
        handlers=(
            (PaymentReceived, handlers.on_payment_received), (StrayPaymentReceived, handlers.on_stray_payment_received),
            (PaymentRefunded, handlers.on_payment_refunded), (OrderPaid, handlers.on_order_paid),
            (OrderCompleted, handlers.on_order_completed), (OrderCancelled, handlers.on_order_cancelled),
            (UnitsRefunded, handlers.on_units_refunded), (CompensationPaid, handlers.on_compensation_paid),
            (MerchantApproved, handlers.on_merchant_approved),
            (WalletCredited, handlers.on_wallet_credited),
        ),
        jobs=(
            (release.RELEASE_JOB, _release), (closing.CLOSE_JOB, _close), (bills.COMPARE_JOB, _compare),
            (payouts.AUTO_JOB, _automatic),
        ),
        periodics=(
            Periodic("settlement.release_due", 600, lambda: _drop(release.release_due()), "放款到期订单"),
            Periodic("settlement.close_months", 3_600, lambda: _drop(closing.plan()), "月末关账，生成对账单"),
            Periodic("settlement.auto_payouts", 3_600, lambda: _drop(payouts.plan_automatic()), "自动提现"),
            Periodic("settlement.channel_bills", 3_600, _recheck, "获取模拟渠道账单并对账"),
            Periodic("settlement.download_bills", 3_600, bills.fetch_from_channels, "下载支付渠道账单", outside=True),
            Periodic(books.VERIFY_JOB, 86_400, _verify, "核对总账：凭证平衡、余额等于分录之和"),
        ),
        permissions=PERMISSIONS,
        menu=MENU,
        start=lambda: order_dividing.on_divided(dividing.divide),
    )  # fmt: skip


def _drop(_count: int) -> None:
    """Turn a counting verb into a periodic job's plain call."""
