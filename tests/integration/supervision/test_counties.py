"""The county page: the same sums as the board, small merchants not told apart, unknown counties refused."""

from __future__ import annotations

from typing import Any

import pytest

from app.core import cache_reset, clock
from app.core.db import session
from app.core.errors import NotFound
from app.core.ids import new_id
from app.core.tx import transaction
from app.identity.models import Area
from app.supervision import counties, queries
from app.supervision.models import DailyRollup
from tests.factories import market

COUNTY = "T77"


def sold(merchant_id: int, category_id: int, fen: int, orders: int, area: str = COUNTY) -> None:
    """Add a day's sales of a merchant."""
    with transaction():
        session.add(
            DailyRollup(
                id=new_id(), day_on=clock.business_date(), merchant_id=merchant_id, category_id=category_id, area_code=area,
                paid_fen=fen, refunded_fen=0, order_count=orders, local_count=orders, shipped_count=0, on_time_count=0,
            )
        )  # fmt: skip


def test_a_county_adds_up_and_hides_small_merchants(db: Any) -> None:
    large, small = market.make_shop(), market.make_shop()
    with transaction():
        session.add(Area(id=new_id(), code=COUNTY, name="独山县", parent_code="-", sort=77))
    cache_reset.reset_all()
    sold(large.merchant_id, 1, 90_000, queries.SMALL_CELL)
    sold(small.merchant_id, 1, 7_000, queries.SMALL_CELL - 1)
    sold(small.merchant_id, 2, 99_999, 9, area="other")
    view = counties.county_board(COUNTY)
    assert view.period.paid_fen == view.county.paid_fen == 97_000
    assert sum(fen for _, fen in view.merchants) == 97_000
    assert view.merchants[-1] == (counties.OTHERS, 7_000), "a merchant with few orders is not named"
    assert view.selling == 2
    assert sum(total.paid_fen for _, total in view.days) == 97_000
    assert view.categories == [("未分类", 97_000)]


def test_an_unknown_county_is_not_found(db: Any) -> None:
    market.make_shop()
    with pytest.raises(NotFound):
        counties.county_board("nowhere")
