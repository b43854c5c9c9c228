"""
List and watch, for ever, as one stream of changes.

Invariant: an object is reported as gone only after the server said so: by a DELETED event, or by a list that was read
completely, in one snapshot, with success. An error, a broken watch, a half-read or refused list is silence, not news.

Source: k8s.io/client-go/tools/cache Reflector.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

import structlog

from fairlead_api import JsonObject
from fairlead_api.errors import ApiError, Expired
from fairlead_machinery.cache import ObjectKey, key_of
from fairlead_machinery.client import Event, Gvr, Unreachable, is_gone

log = structlog.get_logger(__name__)

MIN_BACKOFF_S, MAX_BACKOFF_S = 0.5, 30.0
RELIST_JITTER_S = 1.0
STEADY_WATCH_S = 5.0
OLDER_LISTS, RESTORED_S = 2, 120.0
"""So many lists in a row, over so long, older than what is known are no replica that lags: the server was restored."""
MAX_RETRY_AFTER_S = 60.0
_TOO_LARGE = "Too large resource version"


class Source(Protocol):
    """What a reflector reads from; :class:`fairlead_machinery.client.Client` is one."""

    async def list(
        self, gvr: Gvr, *, namespace: str = "", query: Mapping[str, str] | None = None
    ) -> tuple[list[JsonObject], str]:
        """List completely."""

    def watch(
        self, gvr: Gvr, *, namespace: str = "", resource_version: str = "", query: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Event, None]:
        """Watch."""


@dataclass(frozen=True, slots=True)
class Delta:
    """
    One change.

    Attributes:
        kind: ``added``, ``modified``, ``deleted``, or ``complete``: all that is there has been reported, and what
            had vanished too. On ``complete`` key and object are None.
        key: Which object.
        object: As it is now; for ``deleted`` its last known state, or None when it vanished between two lists.
    """

    kind: str
    key: ObjectKey | None = None
    object: JsonObject | None = None


class Reflector:
    """
    A change feed of one resource.

    Args:
        source: Where to read.
        gvr, namespace, query: What to read; ``query`` may hold selectors.
        on_delta: Called for each change, in order; must not block. It raising stops the reflector.
        jitter: Random part in [0, 1) of pauses.

    Attributes:
        synced: Set once everything there was at the first complete list has been reported.
        healthy: False while the server cannot be read; for status, not for decisions about objects.
        last_error: Why not.
    """

    def __init__(
        self,
        source: Source,
        gvr: Gvr,
        on_delta: Callable[[Delta], None],
        *,
        namespace: str = "",
        query: Mapping[str, str] | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._source = source
        self._gvr = gvr
        self._on_delta = on_delta
        self._namespace = namespace
        self._query = dict(query or {})
        self._jitter = jitter
        self._known: dict[ObjectKey, tuple[str, str]] = {}  # uid and resourceVersion
        self._version = ""  # the latest that was seen
        self._must_list = True
        self._heard: set[ObjectKey] | None = None  # of which the watch told something since a resync began
        self._older_lists = 0
        self._older_since_s = 0.0
        self._backoff_s = MIN_BACKOFF_S
        self.synced = asyncio.Event()
        self.healthy = False
        self.last_error = ""

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            try:
                if self._must_list:
                    await self._relist()
                started_s = asyncio.get_running_loop().time()
                await self._watch()
                if asyncio.get_running_loop().time() - started_s < STEADY_WATCH_S:
                    await self._pause()  # a server that ends watches at once is not hammered
            except ApiError as error:
                await self._failed(error, expired=is_gone(error))
            except Unreachable as error:
                await self._failed(error, expired=False)

    async def _failed(self, error: Exception, *, expired: bool) -> None:
        self.healthy = expired
        self.last_error = str(error)
        if expired:
            self._must_list = True
            log.info("watch expired, listing again", resource=str(self._gvr))
            await asyncio.sleep(self._jitter() * RELIST_JITTER_S)
            if self._backoff_s > MIN_BACKOFF_S:
                await self._pause()
            else:  # the first time the jitter is enough
                self._backoff_s *= 2
            return
        log.warning("cannot read", resource=str(self._gvr), error=self.last_error)
        await self._pause(error.retry_after_s if isinstance(error, ApiError) else 0)

    async def _pause(self, least_s: float = 0.0) -> None:
        delay_s = self._backoff_s * (0.5 + self._jitter() / 2)
        self._backoff_s = min(self._backoff_s * 2, MAX_BACKOFF_S)
        await asyncio.sleep(max(delay_s, min(least_s, MAX_RETRY_AFTER_S)))

    def _alive(self) -> None:
        self.healthy = True
        self.last_error = ""
        self._backoff_s = MIN_BACKOFF_S

    async def _relist(self) -> None:
        """
        Report the difference to a new snapshot, once all of it is here.

        Raises:
            Unreachable: It is older than what was seen, and may come from a replica that lags.
        """
        items, version = await self._list_not_older()
        if not version:
            raise ApiError(f"the list of {self._gvr} has no resourceVersion")
        if not self._believes(is_older=_is_older(version, self._version)):
            raise Unreachable(f"the list of {self._gvr} is of {version}, older than {self._version}, which was seen")
        self._heard = None
        self._compare({key_of(item): item for item in items}, frozenset())
        self._version, self._must_list = version, False
        self.healthy = True
        self.last_error = ""
        self._on_delta(Delta("complete"))
        self.synced.set()

    async def _list_not_older(self) -> tuple[list[JsonObject], str]:
        """List what is no older than what was seen; whatever there is, of a server that was restored."""
        query = dict(self._query)
        if self._version.isdecimal() and not self._is_restored():
            query |= {"resourceVersion": self._version, "resourceVersionMatch": "NotOlderThan"}
        try:
            return await self._source.list(self._gvr, namespace=self._namespace, query=query)
        except ApiError as error:
            if _TOO_LARGE not in error.message:
                raise
            self._note_older()
            raise Unreachable(f"the server of {self._gvr} is behind {self._version}, which was seen") from error

    def _believes(self, *, is_older: bool) -> bool:
        """
        Tell whether a complete list counts, going by whether it is older than what was seen.

        A replica that lags catches up, or another answers; a server that was restored from a backup stays behind.
        """
        if is_older:
            self._note_older()
        counts = not is_older or self._is_restored()
        if counts:
            self._older_lists = 0
        return counts

    def _note_older(self) -> None:
        if not self._older_lists:
            self._older_since_s = asyncio.get_running_loop().time()
        self._older_lists += 1

    def _is_restored(self) -> bool:
        older_for_s = asyncio.get_running_loop().time() - self._older_since_s
        return self._older_lists >= OLDER_LISTS and older_for_s >= RESTORED_S

    async def resync(self) -> None:
        """
        Report the difference to a complete list, while the watch goes on and delays nothing; to be called now and then.

        A watch cannot know of a hole in it: of a server that was restored with its revisions going on as if nothing
        had been, say, or from a backup so old that its revisions have not come back to where the watch waits for them.
        What the watch tells meanwhile counts more than the list.

        Raises:
            ApiError, Unreachable: There is no complete list; nothing was done.
        """
        if not self.synced.is_set() or self._heard is not None:
            return
        heard: set[ObjectKey] = set()
        self._heard, begun = heard, self._version
        try:
            items, version = await self._source.list(self._gvr, namespace=self._namespace, query=self._query)
            if self._heard is not heard or not version:
                return
            is_older = _is_older(version, begun)
            if not self._believes(is_older=is_older):
                return
            self._compare({key_of(item): item for item in items}, heard)
            if is_older:
                self._version = version  # the next watch goes on from here: of the future nothing would be told
            self._on_delta(Delta("complete"))
        finally:
            if self._heard is heard:
                self._heard = None

    def _compare(self, current: Mapping[ObjectKey, JsonObject], but: AbstractSet[ObjectKey]) -> None:
        """Report the difference between what is known and a list, but of some objects."""
        for key in [key for key in self._known if key not in current and key not in but]:
            del self._known[key]
            self._on_delta(Delta("deleted", key))
        for key, item in current.items():
            if key not in but:
                self._store(key, item)

    def _store(self, key: ObjectKey, item: JsonObject) -> None:
        metadata = item["metadata"]
        uid, version = metadata.get("uid", ""), metadata.get("resourceVersion", "")
        old = self._known.get(key)
        if old == (uid, version) and version:
            return
        if old is not None and old[0] != uid:  # deleted and made again while nobody watched
            self._on_delta(Delta("deleted", key))
            old = None
        self._known[key] = (uid, version)
        self._on_delta(Delta("added" if old is None else "modified", key, item))

    async def _watch(self) -> None:
        events = self._source.watch(
            self._gvr, namespace=self._namespace, resource_version=self._version, query=self._query
        )
        async with aclosing(events) as stream:
            async for event in stream:
                self._alive()
                self._handle(event)
                del event  # the next may be hours away

    def _handle(self, event: Event) -> None:
        version = event.object["metadata"].get("resourceVersion", "")
        if _is_older(version, self._version):
            # The server was restored from a backup, or it is a replica that lags: what we know is of another history.
            raise Expired(f"the watch of {self._gvr} went back from {self._version} to {version}")
        if event.type != "BOOKMARK":
            key = key_of(event.object)
            if self._heard is not None:
                self._heard.add(key)
            if event.type == "DELETED":
                self._known.pop(key, None)
                self._on_delta(Delta("deleted", key, event.object))
            else:
                self._store(key, event.object)
        if version:
            self._version = version


def _is_older(version: str, known: str) -> bool:
    """Tell whether a resourceVersion comes before another; they can be compared as numbers (KEP-5504)."""
    return version.isdecimal() and known.isdecimal() and int(version) < int(known)
