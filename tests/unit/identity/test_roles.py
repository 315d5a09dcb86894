"""Built-in roles: three administrators stay apart, permissions exist."""

from __future__ import annotations

from itertools import combinations

import pytest

from app.core.errors import Invalid
from app.identity.credentials import check_password_policy
from app.identity.phones import normal_phone
from app.identity.roles import BUILT_IN_ROLES


def test_the_three_administrators_share_no_power_to_change() -> None:
    three = [r for r in BUILT_IN_ROLES if r.exclusive_group == "three_administrators"]
    assert {r.code for r in three} == {"system_admin", "security_admin", "audit_admin"}
    for one, other in combinations(three, 2):
        assert set(one.permissions) & set(other.permissions) <= {"account.view"}, "only looking is shared"


def test_nobody_else_reads_the_audit_log() -> None:
    holders = {r.code for r in BUILT_IN_ROLES if {"audit.view", "audit.verify"} & set(r.permissions)}
    assert holders == {"audit_admin"}


def test_roles_are_unique_per_realm() -> None:
    keys = [(r.realm, r.code) for r in BUILT_IN_ROLES]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("phone", ["13812341234", "138 1234 1234", "+86 138-1234-1234", "１３８１２３４１２３４"])
def test_phone_forms(phone: str) -> None:
    assert normal_phone(phone) == "13812341234"


@pytest.mark.parametrize("phone", ["", "12812341234", "1381234123", "138123412345", "0571-88888888", "1381234123a"])
def test_phone_refused(phone: str) -> None:
    with pytest.raises(Invalid):
        normal_phone(phone)


@pytest.mark.parametrize("password", ["", "short-A1", "alllowercase", "ALLUPPER1234", "Myadmin-2026x"])
def test_weak_passwords(password: str) -> None:
    with pytest.raises(Invalid):
        check_password_policy(password, "admin")


@pytest.mark.parametrize("password", ["Correct-Horse-9", "correct-horse-9", "四个汉字Aa12345"])
def test_good_passwords(password: str) -> None:
    check_password_policy(password, "admin")
