"""What must happen at a payment channel before an unpaid trade is cancelled; payments, a tier above, installs it.

Close means: ask the channel, close there, then cancel. A trade whose payment could still succeed is left for the next round.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

_live: Callable[[Sequence[int]], set[int]] | None = None
_close: Callable[[int], None] | None = None


def use(live: Callable[[Sequence[int]], set[int]], close: Callable[[int], None]) -> None:
    """Install both: live(trade ids) -> those a channel could still take money for; close(trade id) calls the channel."""
    global _live, _close
    _live, _close = live, close


def still_payable(trade_ids: Sequence[int]) -> set[int]:
    """Return the trades that must not be cancelled yet, because a channel could still take their money."""
    return _live(trade_ids) if _live is not None and trade_ids else set()


def close_channels(trade_id: int) -> None:
    """Close a trade's payments at their channels; outside of a transaction. A payment found there is applied."""
    if _close is not None:
        _close(trade_id)
