"""After-sale of the demo region: one case in every state people want to see, made through the verbs of the product."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from PIL import Image, ImageDraw
from sqlalchemy import select

from app.aftersales import service, states
from app.aftersales.models import Case
from app.catalog.models import Category, Product, Sku
from app.core import clock
from app.core.actor import SYSTEM, Actor
from app.core.db import release_session, session
from app.core.tx import transaction
from app.demo import settlement
from app.fulfilment import service as fulfilment
from app.identity import queries as identity
from app.merchants.models import Merchant
from app.orders import queries as orders
from app.orders import service as orders_service
from security.tokens import random_token


def load() -> int:
    """Make the cases; returns how many, 0 when there are some."""
    account = identity.find_by_login("consumer", settlement.BUYER)
    if account is None or session.scalar(select(Case.id).limit(1)) is not None:
        return 0
    release_session()
    permissions, roles = identity.permissions_of(account.id)
    buyer = Actor("consumer", account.id, account.display_name, permissions, roles=roles)
    scene = Scene(buyer, identity.list_addresses(account.id)[0].id)
    for number, (hours, play) in enumerate(PLAYS):
        with clock.travel(-timedelta(hours=hours)):
            play(scene, number)
            settlement.work()
    return len(PLAYS)


class Scene:
    """The buyer and two shops: the demo's own, which sells fresh goods, and one whose goods can be exchanged and repaired."""

    def __init__(self, buyer: Actor, address_id: int) -> None:
        self.buyer, self.address_id = buyer, address_id
        self.shop = session.scalars(select(Merchant.id).where(Merchant.code == "DEMO01")).one()
        lasting = select(Product.merchant_id).join(Category, Category.id == Product.category_id).where(Product.is_listed == 1)
        self.craft = session.scalars(lasting.where(Category.return_exclusion == "-").order_by(Product.id).limit(1)).one()

    def order(self, number: int, *, fresh: bool = True) -> int:
        """Return a paid order of one of the shops: fresh goods, or goods that last."""
        merchant_id = self.shop if fresh else self.craft
        rows = session.execute(
            select(Sku.id, Category.return_exclusion)
            .join(Product, Product.id == Sku.product_id)
            .join(Category, Category.id == Product.category_id)
            .where(Product.merchant_id == merchant_id, Product.is_listed == 1)
            .order_by(Sku.id)
        ).all()
        fit = [place for place, row in enumerate(rows) if (row.return_exclusion == "fresh") is fresh]
        made = settlement.order(self.buyer, self.address_id, merchant_id, fit[number % len(fit)])
        settlement.work()
        return made

    def delivered(self, number: int, *, fresh: bool = True) -> int:
        """Return an order that arrived an hour ago."""
        order_id = self.order(number, fresh=fresh)
        with clock.travel(-timedelta(hours=1)):
            with transaction():
                fulfilment.ship(SYSTEM, order_id, "local", f"LZAS{clock.business_date():%m%d}{number:04d}")
            with transaction():
                orders_service.mark_delivered(order_id)
        return order_id

    def owner_of(self, case_id: int) -> Actor:
        """Return the owner of the case's shop."""
        return settlement.owner(session.get_one(Case, case_id).merchant_id)

    def apply(self, order_id: int, kind: str, reason: str, text: str, **values: Any) -> int:
        """Open a case with a picture."""
        line = orders.lines_of([order_id])[order_id][0]
        given: dict[str, Any] = {"quantity": 1, "files": (_picture(),)} | values
        with transaction():
            return service.apply(
                self.buyer, order_id,
                service.Application(line_id=line.id, kind=kind, reason=reason, description=text, request_key=random_token(), **given),
            )  # fmt: skip

    def approved(self, number: int, kind: str, reason: str, text: str) -> int:
        """Open a case the merchant agrees to."""
        case_id = self.apply(self.delivered(number, fresh=kind == states.RETURN), kind, reason, text)
        owner = self.owner_of(case_id)
        with transaction():
            service.approve(owner, case_id)
        return case_id

    def sent(self, number: int, kind: str, reason: str, text: str) -> int:
        """Open a case whose goods are on their way back."""
        case_id = self.approved(number, kind, reason, text)
        with transaction():
            service.send_back(self.buyer, case_id, "中通快递", f"7512{number:08d}")
        return case_id


def _picture() -> bytes:
    """Draw a fruit with a bruise."""
    canvas = Image.new("RGB", (480, 360), "#f4efe6")
    pen = ImageDraw.Draw(canvas)
    pen.ellipse((110, 50, 370, 310), fill="#e8892b")
    pen.ellipse((230, 150, 320, 235), fill="#6b4423")
    out = io.BytesIO()
    canvas.save(out, "PNG")
    return out.getvalue()


def _done(scene: Scene, number: int) -> None:
    case_id = scene.sent(number, states.RETURN, "quality", "内袋漏气，受潮结块")
    owner = scene.owner_of(case_id)
    with transaction():
        service.check(owner, case_id, 0, 1, "确为包装漏气，报损")


def _fruit(scene: Scene, number: int) -> None:
    scene.apply(scene.delivered(number), states.CLAIM, "bad_fruit", "开箱 30 个，坏了 6 个", sampled=30, bad=6)


def _disputed(scene: Scene, number: int) -> None:
    case_id = scene.apply(scene.delivered(number), states.RETURN, "not_described", "颜色与图片差别很大")
    with transaction():
        service.reject(scene.owner_of(case_id), case_id, "商品与详情页一致，属正常色差")
    with transaction():
        service.escalate(scene.buyer, case_id, "色差明显，详情页没有说明", [_picture()])
    with transaction():
        service.give_evidence(scene.owner_of(case_id), case_id, "详情页第三屏有色差说明")


def _replacing(scene: Scene, number: int) -> None:
    case_id = scene.sent(number, states.EXCHANGE, "damaged", "收到时一角压坏")
    owner = scene.owner_of(case_id)
    with transaction():
        service.check(owner, case_id, 0, 1, "运输压坏，报损")


def _asked(scene: Scene, number: int) -> None:
    case_id = scene.apply(scene.delivered(number), states.REFUND, "missing", "少了一袋")
    with transaction():
        service.ask(scene.owner_of(case_id), case_id, "请补拍外箱六面和快递面单")


def _repairing(scene: Scene, number: int) -> None:
    case_id = scene.sent(number, states.REPAIR, "malfunction", "盖子密封圈松了")
    owner = scene.owner_of(case_id)
    with transaction():
        service.check(owner, case_id, 1, 0, "已收到，更换密封圈")


def _waiting(scene: Scene, number: int) -> None:
    scene.apply(scene.delivered(number), states.RETURN, "quality", "有一包已经结块")


def _sending(scene: Scene, number: int) -> None:
    scene.approved(number, states.RETURN, "quality", "有异味")


def _checking(scene: Scene, number: int) -> None:
    scene.sent(number, states.RETURN, "wrong_item", "发成了另一种规格")


def _unsent(scene: Scene, number: int) -> None:
    scene.apply(scene.order(number), states.REFUND, "dont_want", "买重复了", files=())


# hours ago, what happened
PLAYS: tuple[tuple[int, Callable[[Scene, int], None]], ...] = (
    (70, _done), (20, _fruit), (46, _disputed), (40, _replacing), (30, _repairing), (26, _checking), (14, _sending), (9, _asked),
    (5, _waiting), (2, _unsent),
)  # fmt: skip
