"""Domain events: frozen dataclasses in the past tense, delivered through the job table.

`publish` writes one job per subscribed handler in the caller's transaction, so an event exists exactly when
its business fact does (decision 4). Handlers are idempotent: delivery is at least once. A handler marked `@in_batches` takes a
list of events, so that the worker can deliver many at the cost of a few (ADR-0010).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from app.core import jobs
from app.core.ids import new_id

Handler = Callable[[Any], None]
T = TypeVar("T")
_handlers: dict[type[Any], list[str]] = {}
_BATCHED = "takes_batches"


def in_batches(handler: Callable[[Sequence[T]], None]) -> Callable[[Sequence[T]], None]:
    """Mark a handler that takes several events of its type, in no certain order, and handles all of them or raises.

    When it raises, each event is delivered alone: one sick event holds up no other.
    """
    setattr(handler, _BATCHED, True)
    return handler


def takes_batches(handler: Callable[..., None]) -> bool:
    """Tell whether a handler takes several events at once."""
    return bool(getattr(handler, _BATCHED, False))


def subscribe(event_type: type[Any], handler: Handler) -> None:
    """Register a handler `module.on_thing_happened` for an event type; the registry calls it once."""
    module = handler.__module__.removeprefix("app.").removesuffix(".handlers")
    name = f"{module}.{handler.__name__}"
    names = _handlers.setdefault(event_type, [])
    if name not in names:
        names.append(name)
        if takes_batches(handler):
            jobs.register_many(name, lambda payloads: handler([event_type(**payload) for payload in payloads]))
        else:
            jobs.register(name, lambda payload: handler(event_type(**payload)))


def publish(event: Any) -> None:
    """Write the jobs that deliver an event; call inside a transaction."""
    names = _handlers.get(type(event), [])
    if not names:
        return
    jobs.enqueue_all(names, asdict(event), key=f"e{new_id()}")


def handlers_of(event_type: type[Any]) -> tuple[str, ...]:
    """Return the names of the handlers subscribed to an event type."""
    return tuple(_handlers.get(event_type, ()))
