"""What a parcel can be and how far that is: scans move it forward only (T14; commerce.md §2.13)."""

from __future__ import annotations

SHIPPED, COLLECTED, IN_TRANSIT, OUT, DELIVERED, RETURNED, LOST = (
    "shipped", "collected", "in_transit", "out_for_delivery", "delivered", "returned", "lost"
)  # fmt: skip
RANKS = {SHIPPED: 1, COLLECTED: 2, IN_TRANSIT: 3, OUT: 4, DELIVERED: 9, RETURNED: 9, LOST: 9}
FINAL = frozenset({DELIVERED, RETURNED, LOST})
FAILED = frozenset({RETURNED, LOST})
NAMES = {
    SHIPPED: "待揽收", COLLECTED: "已揽收", IN_TRANSIT: "运输中", OUT: "派送中", DELIVERED: "已签收", RETURNED: "已退回", LOST: "已丢失",
}  # fmt: skip
TONES = {SHIPPED: "warn", COLLECTED: "info", IN_TRANSIT: "brand", OUT: "brand", DELIVERED: "ok", RETURNED: "bad", LOST: "bad"}
TEMPERATURES = {"ambient": "常温", "chilled": "冷藏", "frozen": "冷冻"}
# Lowest and highest temperature of a class in tenths of a degree Celsius (GB 31605: 冷藏 0–8 ℃, 冷冻 −15 ℃ or colder on the way).
LIMITS = {"chilled": (0, 80), "frozen": (-400, -150)}
PICKUP_NAMES = {"booked": "备货中", "ready": "待自提", "collected": "已自提", "returned": "逾期退回", "cancelled": "已取消"}
PICKUP_TONES = {"booked": "info", "ready": "brand", "collected": "ok", "returned": "bad", "cancelled": "mute"}


def behind(status: str) -> tuple[str, ...]:
    """Return the states a parcel may leave for one: those less far, none for what is over already."""
    return tuple(known for known, rank in RANKS.items() if rank < RANKS[status] and known not in FINAL)


def coldest(classes: list[str]) -> str:
    """Return the class a parcel of several needs."""
    return next((wanted for wanted in ("frozen", "chilled") if wanted in classes), "ambient")


def is_breach(temperature: str, celsius_tenths: int) -> bool:
    """Tell whether a reading is outside what a class allows."""
    low, high = LIMITS.get(temperature, (-1_000, 1_000))
    return not low <= celsius_tenths <= high
