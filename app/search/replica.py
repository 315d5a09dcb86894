"""The tantivy replica of this node: one writer at a time, readers reload, position stored beside the index.

Layout: `<index dir>/<node>/state.json`, `writer.lock` and one folder per generation. Changes are applied again
when a process dies between commit and state: deleting and adding a product is idempotent.
"""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import structlog
import tantivy

from app.core import clock, runtime
from app.core.cache_reset import on_reset
from app.core.errors import Upstream
from app.search import feed
from app.search.schema import SCHEMA_VERSION, documents, schema

log = structlog.get_logger("regionmart.search")
HEAP_BYTES = 50_000_000
BATCH = 500
# A page view applies a few changes only; the worker's thread takes the bulk.
VIEW_BATCH = 50
BUILD_WAIT_S = 10.0
WINDOW_ROWS = 20_000
# A transaction may commit after one that took its id later: changes of the last minute are looked at again.
OVERLAP = (60 * 1_000) << 22


@dataclass
class State:
    """What the replica has applied. recent: change ids inside the overlap window that are done."""

    schema_version: int = 0
    generation: str = ""
    applied_id: int = 0
    recent: list[int] = field(default_factory=list)


class Replica:
    """An opened replica; safe with several processes and threads on one node."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._mutex = threading.RLock()
        self._index: tantivy.Index | None = None
        self._generation = ""
        self._looked_at: float | None = None

    def searcher(self, refresh_interval_s: float) -> tantivy.Searcher:
        """Return a searcher, applying what changed since the last look when the interval has passed."""
        with self._mutex:
            now = time.monotonic()
            if self._index is None or self._looked_at is None or now - self._looked_at >= refresh_interval_s:
                self.refresh(VIEW_BATCH)
                self._looked_at = time.monotonic()
            if self._index is None:
                raise RuntimeError("the replica did not open")
            return self._index.searcher()

    def refresh(self, limit: int = BATCH) -> int:
        """Apply pending changes unless another process does, or build what is missing; returns the products.

        Raises Upstream(`search.building`) while another process has been building the first index for ten seconds.
        """
        with self._mutex:
            applied = 0
            deadline = time.monotonic() + BUILD_WAIT_S
            while True:
                with self._writer_lock(wait=False) as mine:
                    state = self._read_state()
                    usable = state.schema_version == SCHEMA_VERSION and self._folder(state).is_dir()
                    if mine:
                        applied = self._apply(state, limit) if usable else self._build()
                if mine or usable:
                    break
                if time.monotonic() > deadline:
                    raise Upstream("search.building", "搜索正在准备，请稍后再试")
                time.sleep(0.2)
            self._open()
            return applied

    def rebuild(self) -> int:
        """Build a new generation from the catalogue and switch to it; returns the products indexed."""
        with self._mutex, self._writer_lock(wait=True):
            count = self._build()
            self._open()
            return count

    def _folder(self, state: State) -> Path:
        return self.root / (state.generation or "missing")

    def _read_state(self) -> State:
        try:
            return State(**json.loads((self.root / "state.json").read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return State()

    def _write_state(self, state: State) -> None:
        draft = self.root / "state.json.new"
        draft.write_text(json.dumps(asdict(state)))
        draft.rename(self.root / "state.json")

    @contextmanager
    def _writer_lock(self, *, wait: bool) -> Iterator[bool]:
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "writer.lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
                return
            yield True

    def _open(self) -> None:
        state = self._read_state()
        if self._index is None or self._generation != state.generation:
            self._index = tantivy.Index(schema(), path=str(self._folder(state)), reuse=True)
            self._generation = state.generation
        self._index.reload()

    def _build(self) -> int:
        old = self._read_state()
        generation = f"g{clock.microseconds(clock.now())}"
        folder = self.root / generation
        folder.mkdir(parents=True)
        applied_id = feed.last_change()
        index = tantivy.Index(schema(), path=str(folder))
        writer = index.writer(HEAP_BYTES, 1)
        count, after = 0, 0
        while rows := feed.listed_after(after, BATCH):
            for row in rows:
                for doc in documents(row):
                    writer.add_document(doc)
            count, after = count + len(rows), rows[-1].product_id
        writer.commit()
        writer.wait_merging_threads()
        self._write_state(State(SCHEMA_VERSION, generation, applied_id, []))
        for folder in self.root.glob("g*"):
            if folder.name not in {generation, old.generation}:
                shutil.rmtree(folder, ignore_errors=True)
        log.info("search.built", products=count, generation=generation)
        return count

    def _apply(self, state: State, limit: int) -> int:
        floor = max(state.applied_id - OVERLAP, 0)
        done = set(state.recent)
        changes = [c for c in feed.changes_after(floor, WINDOW_ROWS) if c.id not in done][:limit]
        if not changes:
            return 0
        product_ids = sorted({c.product_id for c in changes})
        rows = {row.product_id: row for row in feed.listed(product_ids)}
        writer = tantivy.Index(schema(), path=str(self._folder(state)), reuse=True).writer(HEAP_BYTES, 1)
        for product_id in product_ids:
            # delete_documents_by_term takes an int for a signed term and deletes nothing here (tantivy 0.27).
            writer.delete_documents_by_query(tantivy.Query.term_query(schema(), "product_id", product_id))
            for doc in documents(rows[product_id]) if product_id in rows else ():
                writer.add_document(doc)
        writer.commit()
        writer.wait_merging_threads()
        top = max(state.applied_id, changes[-1].id)
        kept = done | {c.id for c in changes}
        self._write_state(State(SCHEMA_VERSION, state.generation, top, sorted(i for i in kept if i > top - OVERLAP)))
        return len(product_ids)


_replica: Replica | None = None


def _node() -> str:
    return re.sub(r"[^a-z0-9-]", "-", socket.gethostname().lower()) or "node"


def current() -> Replica:
    """Return this process's replica: settings.search.index_dir or `<home>/search`, a folder per node."""
    global _replica
    settings = runtime.current().settings
    base = settings.search.index_dir or runtime.current().home / "search"
    root = Path(base) / _node()
    if _replica is None or _replica.root != root:
        _replica = Replica(root)
    return _replica


@on_reset
def forget() -> None:
    """Drop the replica of this node; the next search builds it again."""
    global _replica
    try:
        shutil.rmtree(current().root, ignore_errors=True)
    except RuntimeError:
        log.debug("search.no_runtime")
    _replica = None
