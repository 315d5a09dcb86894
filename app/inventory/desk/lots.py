"""Lots: list, where one lies, block and open, quarantined units, recall."""

from __future__ import annotations

from typing import Any

from flask import request

from app.core import clock
from app.core.db import session
from app.core.errors import AppError, NotFound
from app.inventory import reads
from app.inventory.desk import Desk, Route, cause_id, ledgers, units
from app.inventory.models import FOREVER, LotStock
from app.inventory.service import alerts, lots, recalls
from app.inventory.service.columns import stock_for
from app.web import access

VIEWS = {"near": "临期在前", "blocked": "隔离与召回", "all": "全部批次"}
STATES = {"open": "可售", "blocked": "已隔离", "recalled": "已召回"}
TONES = {"open": "ok", "blocked": "warn", "recalled": "bad"}


def lot_list(desk: Desk) -> Any:
    """List lots: those that expire first, those out of sale, or all."""
    view = request.args.get("view", "near")
    view = view if view in VIEWS else "near"
    page = reads.lots_page(access.actor(), view, request.args.get("cursor", ""))
    today = clock.business_date()
    return desk.page(
        "lots", page=page, view=view, views=VIEWS, states=STATES, tones=TONES, wares=reads.wares({row[0].sku_id for row in page.items}),
        today=today, forever=FOREVER, stages={lot.id: alerts.stage_of(lot.produced_on, lot.expires_on, today) for lot, _, _ in page.items},
        stage_words=alerts.KINDS, stage_tones=alerts.TONES,
    )  # fmt: skip


def lot_detail(desk: Desk, lot_id: int) -> Any:
    """Show where a lot lies and what may be done about it."""
    return _detail(desk, lot_id)


def _detail(desk: Desk, lot_id: int, problem: AppError | None = None) -> Any:
    actor = access.actor()
    lot = lots.get_lot(actor, lot_id)
    return desk.page(
        "lot", lot=lot, wares=reads.wares([lot.sku_id]), places=reads.lot_places(actor, lot_id), states=STATES, tones=TONES,
        forever=FOREVER, recall=recalls.of_lot(lot_id), sold=sum(recalls.orders_of(lot_id).values()), problem=problem,
        status=problem.status if problem else 200,
    )  # fmt: skip


def lot_block(desk: Desk, lot_id: int) -> Any:
    """Stop a lot from being shipped."""
    return _verb(desk, lot_id, lots.block, "批次已隔离，不再发货")


def lot_reopen(desk: Desk, lot_id: int) -> Any:
    """Let a blocked lot be shipped again."""
    return _verb(desk, lot_id, lots.reopen, "批次已解除隔离；隔离区的数量请逐仓恢复")


def lot_recall(desk: Desk, lot_id: int) -> Any:
    """Call a lot back from its buyers."""
    return _verb(desk, lot_id, recalls.recall, "已召回：批次停止销售，正在通知买家")


def _verb(desk: Desk, lot_id: int, verb: Any, done: str) -> Any:
    def work(actor: Any) -> None:
        verb(actor, lot_id, request.form.get("reason", ""))

    return desk.attempt(work, lambda error: _detail(desk, lot_id, error), f"{desk.base}/lots/{lot_id}", done)


def quarantine_restore(desk: Desk, row_id: int) -> Any:
    """Give quarantined units back to sale."""
    return _judge(desk, row_id, lots.restore, "已恢复销售")


def quarantine_scrap(desk: Desk, row_id: int) -> Any:
    """Write quarantined units off."""
    return _judge(desk, row_id, lots.scrap, "已报废")


def _judge(desk: Desk, row_id: int, verb: Any, done: str) -> Any:
    row = session.get(LotStock, row_id)
    if row is None:
        raise NotFound("lot.missing", "批次不存在")
    stock_id, lot_id = row.stock_id, row.lot_id
    stock_for(access.actor(), stock_id)  # a foreign row does not exist, whatever the form says

    def again(error: AppError) -> Any:
        return _detail(desk, lot_id, error) if lot_id else ledgers.detail(desk, stock_id, error)

    return desk.attempt(
        lambda actor: verb(actor, row_id, units("units"), request.form.get("reason", ""), cause_id=cause_id()), again,
        f"{desk.base}/lots/{lot_id}" if lot_id else f"{desk.base}/{stock_id}", done,
    )  # fmt: skip


ROUTES: tuple[Route, ...] = (
    ("GET", "/lots", "view", lot_list), ("GET", "/lots/<int:lot_id>", "view", lot_detail),
    ("POST", "/lots/<int:lot_id>/block", "approve", lot_block), ("POST", "/lots/<int:lot_id>/reopen", "approve", lot_reopen),
    ("POST", "/lots/<int:lot_id>/recall", "approve", lot_recall),
    ("POST", "/quarantine/<int:row_id>/restore", "approve", quarantine_restore),
    ("POST", "/quarantine/<int:row_id>/scrap", "approve", quarantine_scrap),
)  # fmt: skip
