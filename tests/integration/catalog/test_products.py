"""Products: publish gate, states and wrong moves, versions, price history, the SKU matrix, expiry."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from app.catalog import gate, handlers, queries, service
from app.catalog.models import Product
from app.catalog.service import SkuInput
from app.core import clock
from app.core.db import session
from app.core.errors import Conflict, Forbidden, Invalid, NotFound
from app.core.tx import transaction
from app.merchants import service as merchants_service
from app.merchants.events import MerchantApproved, MerchantSuspended
from tests.factories import catalog as make
from tests.factories import merchants as make_merchants


def codes(product: Product) -> list[str]:
    return [item.code for item in gate.missing_items(product)]


def fresh(product_id: int) -> Product:
    return session.get_one(Product, product_id, populate_existing=True)


def test_gate_names_what_is_missing(shop: SimpleNamespace) -> None:
    editor = make_merchants.editor()
    with transaction():
        service.create_attribute(
            editor, shop.category.id, code="grade", name="等级", kind="enum", options=["一级", "特级"], is_required=True
        )
        service.edit_category(editor, shop.category.id, name="茶叶", document_required="inspection")
        product = make.make_product(shop.merchant, shop.category, title="绿茶", image_key=None)
        assert codes(product) == ["title.short", "image.missing", "document.inspection", "attribute.grade"]
        with pytest.raises(Invalid, match="product.incomplete") as refused:
            service.submit(shop.owner, product.id)
        assert "检测报告" in refused.value.message
        service.edit_product(
            shop.owner, product.id, make.product_input(shop.category, attributes={"grade": "特级"})
        )
        service.add_document(shop.owner, product.id, kind="inspection", number="J-1", valid_until_on=clock.business_date())
        assert codes(product) == []
        shop.merchant.status = "suspended"
        session.merge(shop.merchant)
        assert codes(product) == ["merchant.inactive"]


def test_attributes_are_typed(shop: SimpleNamespace) -> None:
    editor = make_merchants.editor()
    with transaction():
        service.create_attribute(editor, shop.category.id, code="weight", name="净重", kind="number", unit="g")
        product = make.make_product(shop.merchant, shop.category, attributes={"weight": "250.50", "unknown": "x"})
        assert product.attributes == {"weight": "250.5"}
        with pytest.raises(Invalid, match="attribute.number"):
            make.make_product(shop.merchant, shop.category, attributes={"weight": "很多"})


def test_the_way_to_the_shelf_and_wrong_moves(shop: SimpleNamespace) -> None:
    with transaction():
        product = make.make_product(shop.merchant, shop.category)
        for verb in (service.put_on_shelf, service.take_off_shelf, service.withdraw):
            with pytest.raises(Conflict):
                verb(shop.owner, product.id)
        with pytest.raises(Conflict):
            service.approve(shop.reviewer, product.id)
        with pytest.raises(Forbidden):
            service.approve(shop.owner, product.id)
        service.submit(shop.owner, product.id)
        with pytest.raises(Conflict):
            service.submit(shop.owner, product.id)
        service.reject(shop.reviewer, product.id, "主图不清楚")
        assert fresh(product.id).reject_reason == "主图不清楚"
        service.submit(shop.owner, product.id)
        with pytest.raises(Conflict, match="product.moved"):
            service.approve(shop.reviewer, product.id, version=9)
        service.approve(shop.reviewer, product.id, version=1)
        assert fresh(product.id).is_listed == 0
        service.put_on_shelf(shop.owner, product.id)
        assert fresh(product.id).is_listed == 1
        service.ban(shop.reviewer, product.id, "虚假宣传")
        assert fresh(product.id).is_listed == 0
        with pytest.raises(Conflict, match="product.banned"):
            service.put_on_shelf(shop.owner, product.id)
        service.lift_ban(shop.reviewer, product.id)
        assert (fresh(product.id).shelf, fresh(product.id).is_listed) == ("off", 0)


def test_price_change_stays_approved_with_version_and_history(shop: SimpleNamespace) -> None:
    with transaction():
        product = make.make_listed(shop.merchant, shop.category)
        service.edit_product(shop.owner, product.id, make.product_input(shop.category, skus=[SkuInput(price_fen=4_900)]))
    product = fresh(product.id)
    assert (product.review, product.is_listed, product.version, product.price_min_fen) == ("approved", 1, 2, 4_900)
    sku = queries.skus_of(product.id)[0]
    assert [p.price_fen for p in queries.price_history(sku.id)] == [4_900, 5_800]
    assert [v.snapshot["skus"][0]["price_fen"] for v in queries.versions_of(product.id)] == [4_900, 5_800]
    assert queries.offers([sku.id])[sku.id].product_version == 2


def test_content_change_goes_back_to_review_and_off_the_shelf(shop: SimpleNamespace) -> None:
    with transaction():
        product = make.make_listed(shop.merchant, shop.category)
        service.edit_product(shop.owner, product.id, make.product_input(shop.category, title="高山云雾绿茶 新茶"))
    product = fresh(product.id)
    assert (product.review, product.shelf, product.is_listed, product.version) == ("pending", "off", 0, 2)
    with transaction():
        service.edit_product(shop.owner, product.id, make.product_input(shop.category, title="高山云雾绿茶 新茶"))
    assert fresh(product.id).version == 2
    with transaction(), pytest.raises(Conflict, match="product.changed"):
        service.edit_product(shop.owner, product.id, make.product_input(shop.category, title="别人的旧页面", version=1))


def test_matrix_refuses_duplicates_and_retires_variants(shop: SimpleNamespace) -> None:
    grid = [SkuInput(("250g",), 5_800, code="A"), SkuInput(("500g",), 9_900, code="B")]
    with transaction():
        with pytest.raises(Invalid, match="sku.duplicate_option"):
            make.make_product(shop.merchant, shop.category, option_names=["净含量"], skus=[grid[0], SkuInput(("250g",), 1)])
        with pytest.raises(Invalid, match="sku.options"):
            make.make_product(shop.merchant, shop.category, option_names=["净含量", "等级"], skus=grid)
        with pytest.raises(Invalid, match="sku.price"):
            make.make_product(shop.merchant, shop.category, skus=[SkuInput(price_fen=0)])
        product = make.make_product(shop.merchant, shop.category, option_names=["净含量"], skus=grid)
        with pytest.raises(Conflict, match="sku.code_taken"):
            make.make_product(shop.merchant, shop.category, skus=[SkuInput(price_fen=1, code="A")])
        service.edit_product(
            shop.owner, product.id, make.product_input(shop.category, option_names=["净含量"], skus=grid[:1])
        )
    skus = queries.skus_of(product.id)
    assert [(s.option_key, s.is_active) for s in skus] == [("250g", True), ("500g", False)]
    assert queries.offers([skus[1].id])[skus[1].id].is_buyable is False
    assert [sku.id for sku in queries.get_detail(product.id).skus] == [skus[0].id]


def test_external_code_is_unique_in_a_shop(shop: SimpleNamespace) -> None:
    with transaction():
        make.make_product(shop.merchant, shop.category, external_code="T1")
        with pytest.raises(Conflict, match="product.code_taken"):
            make.make_product(shop.merchant, shop.category, external_code="T1")
        make.make_product(make_merchants.make_merchant("第二家店"), shop.category, external_code="T1")


def test_suspension_unlists_and_approval_lists_again(shop: SimpleNamespace) -> None:
    with transaction():
        product = make.make_listed(shop.merchant, shop.category)
        sku_id = queries.skus_of(product.id)[0].id
        merchants_service.suspend(shop.reviewer, shop.merchant.id, "证照存疑")
        handlers.on_merchant_suspended(MerchantSuspended(shop.merchant.id))
    assert (fresh(product.id).is_listed, fresh(product.id).shelf) == (0, "on")
    assert queries.offers([sku_id])[sku_id].reason == "店铺暂停营业"
    assert queries.cards([product.id]) == []
    with transaction():
        merchants_service.resume(shop.reviewer, shop.merchant.id)
        for _ in range(2):
            handlers.on_merchant_approved(MerchantApproved(shop.merchant.id))
    assert [c.id for c in queries.cards([product.id])] == [product.id]
    assert [c.shop_name for c in queries.list_listed(category_id=shop.category.id).items] == [shop.merchant.shop_name]


@pytest.mark.parametrize("kind", ["document", "tag"])
def test_what_expires_leaves_the_shelf(shop: SimpleNamespace, kind: str) -> None:
    until = clock.business_date() + timedelta(days=2)
    with transaction():
        product = make.make_product(shop.merchant, shop.category)
        if kind == "document":
            service.add_document(shop.owner, product.id, kind="inspection", number="J-1", valid_until_on=until)
        else:
            service.add_tag(shop.owner, product.id, family="compliance", name="SC", evidence="SC1", valid_until_on=until)
        service.submit(shop.owner, product.id)
        service.approve(shop.reviewer, product.id)
        service.put_on_shelf(shop.owner, product.id)
    with clock.travel(timedelta(days=2)), transaction():
        assert service.expire_qualifications() == 0
    with clock.travel(timedelta(days=3)), transaction():
        assert service.expire_qualifications() == 1
        assert service.expire_qualifications() == 0
        assert (fresh(product.id).shelf, fresh(product.id).is_listed) == ("off", 0)
        with pytest.raises(Invalid, match="product.incomplete"):
            service.put_on_shelf(shop.owner, product.id)


def test_tags_need_evidence_and_reach_the_cards(shop: SimpleNamespace) -> None:
    with transaction():
        product = make.make_listed(shop.merchant, shop.category)
        with pytest.raises(Invalid, match="tag.evidence"):
            service.add_tag(shop.owner, product.id, family="compliance", name="有机")
        service.add_tag(shop.owner, product.id, family="marketing", name="爆款")
        tag = service.add_tag(shop.reviewer, product.id, family="region", name="地理标志", evidence="AGI-1")
        with pytest.raises(Conflict, match="tag.operator"):
            service.remove_tag(shop.owner, product.id, tag.id)
    assert queries.cards([product.id])[0].tag_names == ("爆款", "地理标志")


def test_other_merchants_products_do_not_exist(shop: SimpleNamespace) -> None:
    with transaction():
        other = make_merchants.owner_of(make_merchants.make_merchant("第二家店"))
        product = make.make_product(shop.merchant, shop.category)
        calls: list[Any] = [
            lambda: service.submit(other, product.id), lambda: service.put_on_shelf(other, product.id),
            lambda: service.edit_product(other, product.id, make.product_input(shop.category)),
            lambda: service.add_tag(other, product.id, family="marketing", name="爆款"),
            lambda: service.add_document(other, product.id, kind="other", number="12"),
        ]  # fmt: skip
        for call in calls:
            with pytest.raises(NotFound):
                call()


def test_counters(shop: SimpleNamespace) -> None:
    with transaction():
        product = make.make_product(shop.merchant, shop.category)
        service.add_sold({product.id: 5})
        service.add_sold({product.id: -9})
        service.add_rating(product.id, 4)
    product = fresh(product.id)
    assert (product.sold_count, product.rating_sum, product.rating_count) == (5, 4, 1)
