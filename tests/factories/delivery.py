"""Freight templates and promises of test shops."""

from __future__ import annotations

from typing import Any

from app.core import cache_reset
from app.core.actor import SYSTEM
from app.core.db import session
from app.core.ids import new_id
from app.core.tx import transaction
from app.delivery import service
from app.delivery.spec import RegionRule, TemplateSpec
from app.identity.models import Area


def area(code: str, name: str, parent: str = "-") -> None:
    """Make a further area."""
    with transaction():
        session.add(Area(id=new_id(), code=code, name=name, parent_code=parent, sort=9))
    cache_reset.reset_all()


def template(merchant_id: int, *rules: RegionRule, basis: str = "piece", excluded: tuple[str, ...] = (), reason: str = "") -> int:
    """Make a template of a shop; returns its id."""
    spec = TemplateSpec("测试模板", basis, rules or (RegionRule((), 1, 700, 1, 100),), excluded, reason)
    with transaction():
        return service.add_template(SYSTEM, merchant_id, spec).id


def promise(merchant_id: int, **values: Any) -> int:
    """Make a promise of a shop, by default: paid before 23:59, there by midnight of the next day; returns its id."""
    given = {"name": "次日达", "transit_days": 1, "cutoff_min": 1_439, "deliver_by_min": 1_440} | values
    with transaction():
        return service.add_promise(SYSTEM, merchant_id, service.PromiseInput(**given)).id
