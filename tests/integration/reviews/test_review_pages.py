"""Writing a review over HTTP: form, pictures, errors beside their field, fragments for the product page."""

from __future__ import annotations

import io
import re
from typing import Any

from PIL import Image

from app.core import clock
from app.core.ids import new_id
from app.core.tx import transaction
from app.identity.models import Account
from app.orders.models import Order, OrderLine
from app.reviews.models import Review
from tests.factories import search as make


def picture() -> bytes:
    """Return a small PNG."""
    out = io.BytesIO()
    Image.new("RGB", (30, 30), "blue").save(out, "PNG")
    return out.getvalue()


def test_a_buyer_writes_a_review(client: Any, db: Any) -> None:
    """Refused without a rating and with a bad file, accepted with a picture, then shown instead of the form."""
    client.get("/sign-in")
    page = client.post("/sign-in", {"phone": "13900000011"}).get_data(as_text=True)
    code = re.search(r"验证码为 (\d{6})", page)
    assert code
    client.post("/sign-in/code", {"phone": "13900000011", "code": code[1], "agreed": "1"})
    account = db.query(Account).filter(Account.realm == "consumer").one()
    with transaction():
        make.make_area()
        shop = make.make_shop()
        product = make.make_listed(shop, make.make_category(), "高山云雾绿茶")
        order = Order(
            id=new_id(), order_no="26112500000002", trade_id=1, account_id=account.id, merchant_id=shop.id,
            status="completed", hold="-", goods_fen=5_800, freight_fen=0, payable_fen=5_800, item_count=1,
            receiver_enc="-", phone_enc="-", street_enc="-", receiver_mask="林**", area_code="a1", first_title="茶",
            created_at=clock.now(),
        )  # fmt: skip
        line = OrderLine(
            id=new_id(), order_id=order.id, sku_id=1, product_id=product.id, product_version=1, title="高山云雾绿茶",
            unit_price_fen=5_800, quantity=1, paid_fen=5_800,
        )  # fmt: skip
        db.add_all([order, line])
        url, line_id, product_id = f"/orders/{order.id}/review", line.id, product.id
    assert client.get(url).soup.select_one("form[enctype] input[name=pictures]")

    def send(**fields: Any) -> Any:
        return client.post(url, {"line_id": line_id, **fields}, content_type="multipart/form-data")

    assert send(body="很好喝").status_code == 422
    bad = send(rating="5", body="很好喝", pictures=(io.BytesIO(b"not a picture"), "a.jpg"))
    assert bad.status_code == 422
    assert "只能上传 JPG" in bad.soup.get_text()
    assert send(rating="5", body="很好喝", pictures=(io.BytesIO(picture()), "a.png")).status_code == 303
    written = db.query(Review).one()
    assert written.pictures[0].endswith(".jpg")
    shown = client.get(url).soup
    assert shown.select_one("form[enctype]") is None
    assert "很好喝" in shown.get_text()
    fragment = client.get(f"/products/{product_id}/reviews", headers={"HX-Request": "true"})
    assert "很好喝" in fragment.get_data(as_text=True)
    assert "<html" not in fragment.get_data(as_text=True)
    with client.http.get(f"/media/{written.pictures[0]}") as sent:
        assert sent.content_type == "image/jpeg"
