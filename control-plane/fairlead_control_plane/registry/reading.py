"""
Get and list.

A get is one read and one splice. A list is one snapshot over all its pages: the first page fixes the revision, the
continue token carries it on.

Source: k8s.io/apiserver pkg/storage/etcd3/store.go, pkg/endpoints/handlers/get.go; "Resource versions" in the
Kubernetes API concepts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from fairlead_api import JsonObject
from fairlead_control_plane.kinds import keys
from fairlead_control_plane.registry import continuation, messages, settling
from fairlead_control_plane.registry.call import Parts, Target
from fairlead_control_plane.registry.continuation import Continuation
from fairlead_control_plane.registry.options import EXACT, ListOptions, check_list_version, parse_version
from fairlead_control_plane.store.contract import Compacted, FutureRevision, Row, prefix_end
from fairlead_control_plane.watch.selection import Selection

_EVENT_GROUPS = frozenset({"", "events.k8s.io"})
_PAGE = 500
_SLICE = 200
"""Objects decoded for a selector before other requests get their turn: about 2 ms."""


async def get_row(parts: Parts, target: Target, version: str = "") -> Row:
    """
    Read one object.

    Args:
        version: ``resourceVersion`` of the query: the answer is at least as new.

    Raises:
        NotFound, Timeout (a version from the future), BadRequest (no number).
    """
    if version:
        await check_not_future(parts, _asked(target, version))
    row = await parts.store.get(target.key)
    if row is None:
        raise messages.not_found(target.resource, target.name)
    return await settling.row(target, row)


def _asked(target: Target, version: str) -> int:
    """Return the resourceVersion of a query; Events, which Kubernetes does not cache, refuse what is no number."""
    if target.resource.plural == "events" and target.resource.group in _EVENT_GROUPS:
        check_list_version(version)
    return parse_version(version)


async def check_not_future(parts: Parts, revision: int) -> None:
    """Raise ``Timeout`` (504) for a resourceVersion that has not happened yet."""
    if revision > parts.store.revision:
        current = await parts.store.current_revision()
        if revision > current:
            raise messages.too_large_version(revision, current)


@dataclass(slots=True)
class Page:
    """
    Part of a list.

    Attributes:
        revision: Of the snapshot.
        token: For the next page; ``""`` at the end.
        remaining: How many objects follow; None when nobody counted.
    """

    rows: Sequence[Row] = ()
    revision: int = 0
    token: str = ""
    remaining: int | None = None

    def metadata(self) -> JsonObject:
        """Return the list's ``metadata``."""
        meta: JsonObject = {"resourceVersion": str(self.revision)}
        if self.token:
            meta["continue"] = self.token
            if self.remaining:
                meta["remainingItemCount"] = self.remaining
        return meta


async def list_page(parts: Parts, target: Target, options: ListOptions, selected: Selection) -> Page:
    """
    Read a list, or the page of it that ``limit`` and ``continue`` ask for.

    Raises:
        BadRequest: The token is not valid here, or the version no number.
        Expired: The snapshot has been compacted.
        Timeout: The version is from the future.
    """
    prefix, start, end = bounds(target, selected)
    revision = 0
    if options.continue_token:
        position = continuation.decode(target.prefix, options.continue_token)
        if options.version not in {"", "0"}:
            raise messages.version_with_token()
        start, revision = max(start, position.start), max(position.revision, 0)
    elif options.version:
        check_list_version(options.version)
        await check_not_future(parts, options.revision)
        if options.match == EXACT or (options.limit and not options.match):
            revision = options.revision
    # As in Kubernetes, "any version" means a whole list from memory, whatever the limit.
    limit = 0 if options.version == "0" else options.limit
    reader = _Pages(parts, target, start, end, revision)
    try:
        page = await reader.read(limit, selected)
    except Compacted as error:
        if options.continue_token:
            token = continuation.encode(prefix, Continuation(start, -1))
            raise messages.ContinueExpired(token) from error
        raise messages.compacted() from error
    except FutureRevision as error:
        raise messages.too_large_version(revision, parts.store.revision) from error
    if reader.next_key:
        page.token = continuation.encode(prefix, Continuation(reader.next_key, page.revision))
        page.remaining = reader.remaining if selected.is_everything else None
    return page


def bounds(target: Target, selected: Selection) -> tuple[str, str, str]:
    """Return prefix, start and end of what a list reads: one key when the selector pins it."""
    prefix = target.prefix
    name = selected.pinned("metadata.name")
    is_one_place = target.cluster != "*" and (target.namespace or not target.resource.namespaced)
    if name and is_one_place and "/" not in name and "\0" not in name:
        key = keys.object_key(target.resource, target.cluster, target.namespace, name)
        return prefix, key, key + "\0"
    return prefix, prefix, prefix_end(prefix)


class _Pages:
    """Reads a range in one snapshot until enough objects match."""

    def __init__(self, parts: Parts, target: Target, start: str, end: str, revision: int) -> None:
        self._store, self._target = parts.store, target
        self._start, self._end, self._revision = start, end, revision
        self.next_key = ""
        self.remaining = 0

    async def read(self, limit: int, selected: Selection) -> Page:
        page, rows = Page(), list[Row]()
        while True:
            wanted = 0 if not limit else limit if selected.is_everything else max(limit, _PAGE)
            found = await self._store.range(self._start, self._end, limit=wanted, revision=self._revision)
            self._revision = page.revision = found.revision
            settled = await settling.rows(self._target, found.rows)
            if selected.is_everything:
                page.rows = settled
                if found.more:
                    self.next_key, self.remaining = found.rows[-1].key + "\0", found.remaining
                return page
            if await self._filter(rows, settled, limit, selected, more=found.more) or not found.more:
                page.rows = rows
                return page
            self._start = found.rows[-1].key + "\0"

    async def _filter(
        self, rows: list[Row], found: Sequence[Row], limit: int, selected: Selection, *, more: bool
    ) -> bool:
        for index, row in enumerate(found):
            if selected.matches_value(row.value):
                rows.append(row)
                if limit and len(rows) == limit:
                    if more or index + 1 < len(found):
                        self.next_key = row.key + "\0"
                    return True
            if index % _SLICE == _SLICE - 1:
                await asyncio.sleep(0)
        return False
