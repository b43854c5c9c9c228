"""
The watch endpoint: a state to begin with, then what changes, as lines of JSON.

Source: k8s.io/apiserver pkg/endpoints/handlers/watch.go, pkg/storage/cacher; KEP-3157 (watch list),
KEP-956 (bookmarks); "Resource versions" in the Kubernetes API concepts.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import orjson

from fairlead_api import JsonObject
from fairlead_api.errors import ApiError, InternalError, ServiceUnavailable, TooManyRequests
from fairlead_control_plane.kinds import encoding
from fairlead_control_plane.registry import messages, reading, settling
from fairlead_control_plane.registry.call import Parts, Target
from fairlead_control_plane.registry.media import Form
from fairlead_control_plane.registry.options import ListOptions
from fairlead_control_plane.registry.rendering import Renderer
from fairlead_control_plane.store.contract import Compacted, StoreError
from fairlead_control_plane.watch.selection import Selection, framer, line
from fairlead_control_plane.watch.subscription import Broken, Delivery, Frame, SlowWatcher, Subscription

_INITIAL_BYTES = 256 << 10
"""How much of the initial state is sent at a time."""
_END_OF_STATE = {"k8s.io/initial-events-end": "true"}


class Watch:
    """One watch request; iterate :meth:`frames` once. The request has been checked, so what fails ends the stream."""

    def __init__(
        self, parts: Parts, target: Target, options: ListOptions, selected: Selection, renderer: Renderer
    ) -> None:
        self._parts = parts
        self._target = target
        self._options = options
        self._selected = selected
        self._renderer = renderer
        is_converted = settling.is_converted(target)
        self._followed = Renderer(target.as_stored, Form(), parts.now_s()) if is_converted else renderer
        self._revision = 0
        self._is_headed = False

    async def frames(self) -> AsyncIterator[bytes]:
        """Yield chunks of whole lines until the watch's time is over, its client too slow or its start too old."""
        if self._options.timeout_s is not None and self._options.timeout_s < 0:
            return
        try:
            async for chunk in self._state():
                yield self._headed(chunk)
        except ApiError as error:
            yield _error_line(error)
            return
        subscription = self._subscribe()
        try:
            async for chunk in self._changes(subscription):
                yield self._headed(chunk)
        except ApiError as error:
            yield _error_line(error)
        except Compacted as error:
            yield _error_line(messages.too_old_version(self._revision, error.compacted))
        except SlowWatcher as error:
            yield _error_line(TooManyRequests(f"the watch was too slow and has been closed: {error}"))
        except Broken as error:
            yield _error_line(InternalError(f"the watch has ended: {error}"))
        except StoreError as error:
            yield _error_line(ServiceUnavailable(f"the watch has ended: {error}"))
        finally:
            await subscription.close()

    def _headed(self, chunk: bytes) -> bytes:
        """Name the columns of a Table in the first event alone; the others are the same for all who watch."""
        if self._is_headed:
            return chunk
        self._is_headed = True
        return self._renderer.with_columns(chunk)

    @property
    def _starts_with_state(self) -> bool:
        if self._options.send_initial_events is not None:
            return self._options.send_initial_events
        return self._options.version in {"", "0"}

    async def _state(self) -> AsyncIterator[bytes]:
        """Yield the present state as ADDED events where it is asked for; set the revision to go on from."""
        options = self._options
        if not self._starts_with_state:
            # sendInitialEvents=false with no version starts at the newest.
            self._revision = options.revision or await self._parts.store.current_revision()
            return
        wanted = ListOptions(version=options.version if options.revision else "")
        page = await reading.list_page(self._parts, self._target, wanted, self._selected)
        self._revision = page.revision
        lines: list[bytes] = []
        size = 0
        for row in page.rows:
            lines.append(line("ADDED", self._renderer.one(row.value, row.mod_revision)))
            size += len(lines[-1])
            if size >= _INITIAL_BYTES:
                yield b"".join(lines)
                lines, size = [], 0
                await asyncio.sleep(0)  # a reader that keeps up would never let others have their turn
        # Where any version will do the state's end is told as well, to whom asked for bookmarks.
        tells_end = options.send_initial_events or (
            options.send_initial_events is None and options.version in {"", "0"}
        )
        if tells_end and options.bookmarks:
            lines.append(self._bookmark(page.revision, is_end_of_state=True))
        if lines:
            yield b"".join(lines)

    def _subscribe(self) -> Subscription:
        renderer = self._followed
        frame = self._settled(framer(self._selected, renderer.one, renderer.key))
        prefix = self._prefix()
        return self._parts.hub.watch(prefix, after=self._revision, frame=frame, key=(self._selected.key, renderer.key))

    def _settled(self, frame: Frame) -> Frame:
        target = self._target.as_stored if settling.is_converted(self._target) else self._target
        if target.version.is_as_stored and not target.resource.since:
            return frame
        return lambda delivery: frame(Delivery(settling.event(target, delivery.event), delivery.frames))

    async def _converted(self, events: bytes) -> bytes:
        """Return events of stored objects as those of the version asked for, where a webhook converts them."""
        if self._followed is self._renderer:
            return events
        decoded: list[JsonObject] = [orjson.loads(event) for event in events.splitlines()]
        made = await settling.objects(self._target, [event["object"] for event in decoded])
        return b"".join(
            line(event["type"], self._renderer.one(encoding.encode(obj), int(obj["metadata"]["resourceVersion"])))
            for event, obj in zip(decoded, made, strict=True)
        )

    def _prefix(self) -> str:
        """Follow one key only where the selector pins the name."""
        prefix, start, _ = reading.bounds(self._target, self._selected)
        return start if start != prefix else prefix

    async def _changes(self, subscription: Subscription) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        options = self._options
        lasts_s = options.timeout_s if options.timeout_s else self._parts.watch_s()
        ends = loop.time() + lasts_s
        bookmark_at = loop.time() + self._parts.bookmark_s if options.bookmarks else ends
        while (now := loop.time()) < ends and not subscription.is_closed:
            chunks = await subscription.take(max(min(bookmark_at, ends) - now, 0))
            if chunks:
                yield await self._converted(b"".join(chunks))
            elif options.bookmarks and loop.time() >= bookmark_at:
                revision = self._parts.hub.revision
                bookmark_at = loop.time() + self._parts.bookmark_s
                if subscription.is_current:
                    yield self._bookmark(revision)

    def _bookmark(self, revision: int, *, is_end_of_state: bool = False) -> bytes:
        metadata: JsonObject = {"resourceVersion": str(revision)}
        if is_end_of_state:
            metadata["annotations"] = _END_OF_STATE
        return line("BOOKMARK", orjson.dumps(self._renderer.empty(metadata)))


def _error_line(error: ApiError) -> bytes:
    return line("ERROR", orjson.dumps(error.status()))
