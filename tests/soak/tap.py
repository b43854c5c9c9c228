"""
Follows a control plane's SQLite store from beside it: every write there was, also while the server is dead.

The store keeps history for five minutes; each look takes what is new. A write's moment is that of the look before the
one that found it: never too late, and so never after what came of it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, cast

import apsw

from fairlead_control_plane.store.contract import Row
from fairlead_control_plane.store.database import POSITION_BITS

LOOK_EVERY_S = 0.1
_RESTLESS = ("/leases/", "/events/", "/synctargets/", "/meta/", "/bin/")
_NEW = "SELECT id, key, create_revision, value FROM history WHERE id > ? ORDER BY id"
_ALL = "SELECT c.key, c.id, h.create_revision, h.value FROM current c JOIN history h ON h.id = c.id ORDER BY c.key"
_Current = tuple[str, int, int, bytes]
_Event = tuple[int, str, int, bytes | None]


class Seen(NamedTuple):
    """One key as one transaction left it; no ``row`` for one that it deleted."""

    at_s: float
    revision: int
    key: str
    row: Row | None


class Tap:
    """Follows one store; ``seen`` grows while it does. Its methods may be called from any thread."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self.seen: list[Seen] = []
        self.last_s = time.time()
        """When something was last written that is no heartbeat."""
        self.failure: BaseException | None = None

    @contextmanager
    def following(self) -> Iterator[Tap]:
        """Follow for the length of a ``with`` block."""
        thread = threading.Thread(target=self._follow, name="tap")
        thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            thread.join()

    def rows(self) -> list[Row]:
        """Return what the store holds now."""
        connection = self._open()
        try:
            found = connection.execute(_ALL).fetchall()
        finally:
            connection.close()
        return [
            Row(key, value, created, id_ >> POSITION_BITS) for key, id_, created, value in cast(list[_Current], found)
        ]

    def events(self) -> list[Seen]:
        """Return what was seen so far, in order."""
        if self.failure is not None:
            raise RuntimeError("the store could not be followed") from self.failure
        with self._lock:
            return list(self.seen)

    def _open(self) -> apsw.Connection:
        connection = apsw.Connection(str(self._database), flags=apsw.SQLITE_OPEN_READWRITE)
        connection.set_busy_timeout(20_000)
        connection.execute("PRAGMA query_only=ON")
        return connection

    def _follow(self) -> None:
        last, before_s = 0, time.time()
        connection = self._open()
        try:
            while True:
                is_last, now_s = self._ended.is_set(), time.time()
                found = cast(list[_Event], connection.execute(_NEW, (last,)).fetchall())
                for id_, key, created, value in found:
                    revision = id_ >> POSITION_BITS
                    row = None if value is None else Row(key, value, created, revision)
                    with self._lock:
                        self.seen.append(Seen(before_s, revision, key, row))
                    last = id_
                    if not any(part in key for part in _RESTLESS):
                        self.last_s = now_s
                before_s = now_s
                if is_last:
                    return
                self._ended.wait(LOOK_EVERY_S)
        except BaseException as error:  # noqa: BLE001 - told to whoever asks for what was seen
            self.failure = error
        finally:
            connection.close()
