"""Who may review, once, and what merchants and operators can do with it (C11)."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from app.catalog.models import Product
from app.core import clock
from app.core.actor import Actor
from app.core.errors import Conflict, Forbidden, Invalid, NotFound
from app.core.ids import new_id
from app.core.tx import transaction
from app.orders.models import Order, OrderLine
from app.reviews import queries, service
from app.reviews.models import Review
from tests.factories import search as make

BUYER = Actor("consumer", 11, "林玉珍", frozenset({"review.write", "order.own"}))
STRANGER = Actor("consumer", 12, "周强", frozenset({"review.write", "order.own"}))
OPERATOR = Actor("operator", 21, "运营", frozenset({"review.moderate"}))


def picture() -> bytes:
    """Return a small JPEG."""
    out = io.BytesIO()
    Image.new("RGB", (40, 40), "red").save(out, "JPEG")
    return out.getvalue()


@pytest.fixture
def bought(db: Any) -> SimpleNamespace:
    """A completed order of one line in a region district."""
    with transaction():
        make.make_area()
        shop = make.make_shop()
        product = make.make_listed(shop, make.make_category(), "高山云雾绿茶")
        order = Order(
            id=new_id(), order_no="26112500000001", trade_id=1, account_id=11, merchant_id=shop.id, status="completed",
            hold="-", goods_fen=5_800, freight_fen=0, payable_fen=5_800, item_count=1, receiver_enc="-", phone_enc="-",
            street_enc="-", receiver_mask="林**", area_code="a1", first_title="茶", created_at=clock.now(),
        )  # fmt: skip
        line = OrderLine(
            id=new_id(), order_id=order.id, sku_id=1, product_id=product.id, product_version=1, title="茶",
            option_key="250g 罐装", unit_price_fen=5_800, quantity=1, paid_fen=5_800,
        )  # fmt: skip
        db.add_all([order, line])
        merchant = Actor("merchant", 31, "店主", frozenset({"review.reply"}), merchant_id=shop.id)
        return SimpleNamespace(order=order.id, line=line.id, product=product.id, merchant=merchant)


def write(bought: SimpleNamespace, actor: Actor = BUYER, **changes: Any) -> int:
    """Write a review in its own transaction; returns its id."""
    values = {"rating": 5, "text": "茶汤清亮，回甘好", **changes}
    with transaction():
        return service.write(actor, bought.order, bought.line, **values).id


def test_buyer_reviews_with_pictures_and_the_product_counts_it(bought: SimpleNamespace, db: Any) -> None:
    """The name is masked, the place is a badge, the rating is added in the same transaction."""
    review_id = write(bought, files=[picture()])
    review = db.get_one(Review, review_id)
    assert (review.author_mask, review.area_code, review.picture_count) == ("林**", "a1", 1)
    product = db.get_one(Product, bought.product)
    assert (product.rating_sum, product.rating_count) == (5, 1)


def test_only_the_buyer_may(bought: SimpleNamespace) -> None:
    """Another customer's order does not exist; without the permission nothing works."""
    with pytest.raises(NotFound):
        write(bought, STRANGER)
    with pytest.raises(Forbidden):
        write(bought, Actor("consumer", 11, "林", frozenset()))


def test_only_once(bought: SimpleNamespace, db: Any) -> None:
    """The second click is refused and does not count."""
    write(bought)
    with pytest.raises(Conflict) as caught:
        write(bought, rating=1)
    assert caught.value.code == "review.twice"
    db.expire_all()
    assert db.get_one(Product, bought.product).rating_count == 1


@pytest.mark.parametrize(
    ("status", "delivered", "may"),
    [("paid", False, False), ("shipped", False, False), ("shipped", True, True), ("cancelled", False, False)],
)
def test_only_after_the_goods_arrived(bought: SimpleNamespace, db: Any, status: str, delivered: bool, may: bool) -> None:
    """Delivered or completed."""
    with transaction():
        order = db.get_one(Order, bought.order)
        order.status, order.delivered_at = status, clock.now() if delivered else None
    if may:
        assert write(bought)
    else:
        with pytest.raises(Conflict) as caught:
            write(bought)
        assert caught.value.code == "review.too_early"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"rating": 6}, "review.rating"),
        ({"text": "好"}, "review.text"),
        ({"files": [picture()] * 5}, "review.pictures"),
        ({"files": [b"MZ not a picture"]}, "picture.type"),
    ],
)
def test_bad_input_is_refused(bought: SimpleNamespace, db: Any, changes: dict[str, Any], code: str) -> None:
    """Nothing is written, the rating does not move."""
    with pytest.raises(Invalid) as caught:
        write(bought, **changes)
    assert caught.value.code == code
    assert queries.of_lines([bought.line]) == {}


def test_filters_of_the_product_page(bought: SimpleNamespace) -> None:
    """Local buyers, pictures, bad ratings."""
    review_id = write(bought, rating=2, files=[picture()])
    for kind in ("", "local", "picture", "bad"):
        assert [r.id for r in queries.list_for_product(bought.product, kind).items] == [review_id]


def test_a_buyer_from_elsewhere_is_not_local(bought: SimpleNamespace, db: Any) -> None:
    """The badge is for districts of the region."""
    with transaction():
        db.get_one(Order, bought.order).area_code = "999999"
    write(bought)
    assert queries.list_for_product(bought.product, "local").items == []


def test_merchant_replies_to_its_own_reviews_only(bought: SimpleNamespace, db: Any) -> None:
    """Another merchant's review is not found."""
    review_id = write(bought)
    foreign = Actor("merchant", 32, "别家", frozenset({"review.reply"}), merchant_id=1)
    with pytest.raises(NotFound), transaction():
        service.reply(foreign, review_id, "谢谢")
    with transaction():
        service.reply(bought.merchant, review_id, "谢谢支持")
    assert db.get_one(Review, review_id).reply == "谢谢支持"


def test_operator_hides_with_a_reason_and_merchant_cannot(bought: SimpleNamespace, db: Any) -> None:
    """The review leaves the page but stays in the table; it can be shown again."""
    review_id = write(bought, rating=1)
    with pytest.raises(Forbidden), transaction():
        service.hide(bought.merchant, review_id, "不喜欢")
    with pytest.raises(Invalid), transaction():
        service.hide(OPERATOR, review_id, "")
    with transaction():
        service.hide(OPERATOR, review_id, "含他人电话")
    assert queries.list_for_product(bought.product).items == []
    with pytest.raises(Conflict), transaction():
        service.hide(OPERATOR, review_id, "再次隐藏")
    with transaction():
        service.show(OPERATOR, review_id)
    assert db.get_one(Review, review_id).status == "visible"
