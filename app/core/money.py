"""Money is integer 分, rates are integer basis points; every split sums exactly (commerce.md §2.4)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from app.core.errors import Invalid

BPS_ONE = 10_000
MAX_FEN = 10**15
_YUAN = re.compile(r"^(?P<sign>-?)(?P<yuan>\d{1,3}(?:,\d{3})+|\d+)(?:\.(?P<fen>\d{1,2}))?$")


def parse_yuan(text: str) -> int:
    """Return fen for a yuan amount such as `1,234.5` or `¥12`; exact, no float on the way.

    Raises Invalid(`money.format`) for anything else: three decimals, misplaced commas (`1,2.3`), letters.
    """
    cleaned = text.strip().removeprefix("¥").removeprefix("￥").removesuffix("元").strip()
    match = _YUAN.match(cleaned)
    if match is None:
        raise Invalid("money.format", f"“{text}”不是有效的金额，请填写如 12.50 的元金额", value=text)
    fen = int(match["yuan"].replace(",", "")) * 100 + int((match["fen"] or "0").ljust(2, "0"))
    if fen > MAX_FEN:
        raise Invalid("money.range", f"金额“{text}”超出范围", value=text)
    return -fen if match["sign"] else fen


def format_yuan(fen: int) -> str:
    """Return `1,234.00` for 123400 fen."""
    sign = "-" if fen < 0 else ""
    yuan, cents = divmod(abs(fen), 100)
    return f"{sign}{yuan:,}.{cents:02d}"


def percent_of(amount_fen: int, rate_bps: int) -> int:
    """Return rate × amount in fen, rounded half up once."""
    return (amount_fen * rate_bps * 2 + BPS_ONE) // (2 * BPS_ONE)


def allocate(total_fen: int, weights: Sequence[int], caps: Sequence[int] | None = None) -> list[int]:
    """Split a non-negative total over weights by largest remainder; ties go to the earlier index.

    weights: non-negative, caller orders them by line id so that input order does not matter.
    caps: most that each part may take (default: no cap); the total is cut to what the caps can hold.
    A zero weight gets 0; all-zero weights give all zeros. Σ parts = min(total, Σ caps of weighted parts).
    Source: commerce.md §2.4 (apportionment).
    """
    if total_fen < 0 or any(w < 0 for w in weights):
        raise ValueError("allocate needs a non-negative total and non-negative weights")
    limits = [
        (caps[i] if caps is not None else total_fen) if weight > 0 else 0 for i, weight in enumerate(weights)
    ]
    parts = [0] * len(weights)
    left = min(total_fen, sum(limits))
    while left > 0:
        open_lines = [i for i in range(len(weights)) if parts[i] < limits[i]]
        weight_sum = sum(weights[i] for i in open_lines)
        shares = {i: divmod(left * weights[i], weight_sum) for i in open_lines}
        rest = left - sum(share for share, _ in shares.values())
        by_remainder = sorted(open_lines, key=lambda i: (-shares[i][1], i))
        extra = set(by_remainder[:rest])
        for i in open_lines:
            add = min(shares[i][0] + (1 if i in extra else 0), limits[i] - parts[i])
            parts[i] += add
            left -= add
    return parts


def share_of(paid_fen: int, quantity: int, first: int, count: int) -> int:
    """Return what units first+1 … first+count of a line are worth: F(first+count) − F(first).

    F(j) = ⌊j·P/n⌋ telescopes, so any sequence of unit refunds sums to exactly P. Source: commerce.md §2.4.
    """
    if quantity <= 0 or first < 0 or count < 0 or first + count > quantity:
        raise ValueError("units outside the line")
    return (first + count) * paid_fen // quantity - first * paid_fen // quantity
