"""What every action of the soak works with: the dice, the world, and one way to commit."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.core.db import release_session, session
from app.core.tx import retry_conflicts, transaction
from tests.soak.world import ChannelBook, World

RECENT = 40


class Nothing(Exception):
    """There is nothing this could be done to now."""


@dataclass
class Scene:
    """One process of the soak: its dice, the world, the channel's memory, notices it has held back."""

    rng: random.Random
    world: World
    book: ChannelBook
    held_back: list[bytes]

    def one_of(self, statement: Any) -> Any:
        """Choose one of the first rows of a statement. Raises Nothing."""
        rows = session.execute(statement.limit(RECENT)).all()
        release_session()
        if not rows:
            raise Nothing
        return self.rng.choice(rows)


def commit(work: Callable[[], Any]) -> Any:
    """Do something as a door does it: one transaction, again on a conflict."""

    def unit() -> Any:
        with transaction():
            return work()

    return retry_conflicts(unit)
