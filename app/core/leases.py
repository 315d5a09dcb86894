"""Named leases in the database: one holder at a time, taken over after expiry.

Two uses: the periodic scheduler runs in one worker only (`try_lease`), and each process holds a node id for
its generated ids (`lease_node`).
"""

from __future__ import annotations

import os
import socket
import threading
from datetime import datetime, timedelta

import structlog
from sqlalchemy import select, update
from sqlalchemy.orm import Mapped

from app.core import clock, ids
from app.core.db import Base, instant, pk, release_session, session, text_column
from app.core.tx import retry_conflicts, transaction
from dbadapters.errors import DbError, UniqueViolation

log = structlog.get_logger("regionmart.leases")
NODE_LEASE_S = 24 * 3_600
RENEW_EVERY_S, RETRY_S = NODE_LEASE_S / 4, 60.0
MAX_NODES = 1 << ids.NODE_BITS


class Lease(Base):
    """A named lease; the name is the primary fact, the id is derived from it by the caller."""

    __tablename__ = "core_lease"
    id: Mapped[int] = pk()
    name: Mapped[str] = text_column(80)
    owner: Mapped[str] = text_column(80)
    expires_at: Mapped[datetime] = instant()


def process_name() -> str:
    """Return `host:pid`, unique among live processes of the cluster."""
    return f"{socket.gethostname()[:48]}:{os.getpid()}"


def _take(lease_id: int, name: str, owner: str, ttl_s: int) -> bool:
    at = clock.now()
    until = at + timedelta(seconds=ttl_s)
    with transaction():
        renewed = session.execute(
            update(Lease)
            .where(Lease.id == lease_id, (Lease.owner == owner) | (Lease.expires_at < at))
            .values(owner=owner, expires_at=until)
            .execution_options(synchronize_session=False)
        ).rowcount  # type: ignore[attr-defined]
        if renewed:
            return True
        if session.scalar(select(Lease.id).where(Lease.id == lease_id)) is not None:
            return False
        session.add(Lease(id=lease_id, name=name, owner=owner, expires_at=until))
    return True


def try_lease(lease_id: int, name: str, owner: str, ttl_s: int) -> bool:
    """Take or renew a lease for ttl_s seconds; False while another owner's lease is alive."""
    try:
        return retry_conflicts(lambda: _take(lease_id, name, owner, ttl_s))
    except UniqueViolation:
        return False


def lease_node() -> int:
    """Lease a free node id for this process and install it in `core.ids`; returns the node id.

    Raises RuntimeError when all 1,024 are held. Node leases live a day: a process that runs longer renews its own
    (`keep_node`), and a dead process's node is reused only after its clock range has passed.
    """
    owner = f"{process_name()}:{clock.microseconds(clock.now())}"
    start = os.getpid() % MAX_NODES
    held = set(
        session.scalars(
            select(Lease.id).where(Lease.id >= 1, Lease.id <= MAX_NODES, Lease.expires_at >= clock.now())
        )
    )
    for step in range(MAX_NODES):
        node = (start + step) % MAX_NODES
        lease_id = node + 1
        if lease_id not in held and try_lease(lease_id, f"node-{node}", owner, NODE_LEASE_S):
            ids.use_node(node)
            _owners[os.getpid()] = (lease_id, owner)
            return node
    raise RuntimeError("all 1,024 node ids are leased")


_owners: dict[int, tuple[int, str]] = {}


def renew_node() -> None:
    """Extend this process's node lease; leases another node when it was lost."""
    lease_id, owner = _owners[os.getpid()]
    if not try_lease(lease_id, f"node-{lease_id - 1}", owner, NODE_LEASE_S):
        lease_node()


def keep_node() -> None:
    """Renew this process's node lease in a thread for as long as the process lives; the web and worker doors call it."""

    def keep() -> None:
        wait = RENEW_EVERY_S
        while not pause.wait(wait):
            try:
                renew_node()
                wait = RENEW_EVERY_S
            except (DbError, RuntimeError):
                log.exception("node.renew_failed")
                wait = RETRY_S
            finally:
                release_session()

    pause = threading.Event()
    threading.Thread(target=keep, name="node-lease", daemon=True).start()


def release_node() -> None:
    """Give the node id back at a clean shutdown (expires in two seconds, past any id already made)."""
    lease = _owners.pop(os.getpid(), None)
    if lease is not None:
        try_lease(lease[0], f"node-{lease[0] - 1}", lease[1], 2)
