"""The change feed, in virtual time, with a source that plays a server's moods."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Mapping
from typing import Any

import looptime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_api import JsonObject
from fairlead_api.errors import (
    ApiError,
    Expired,
    Forbidden,
    NotFound,
    ServiceUnavailable,
    Timeout,
    TooManyRequests,
    Unauthorized,
)  # fmt: skip
from fairlead_machinery.cache import Cache, ObjectKey
from fairlead_machinery.client import Event, Gvr, Unreachable
from fairlead_machinery.reflector import RESTORED_S, Delta, Reflector

GVR = Gvr("", "v1", "configmaps")
BREAKS: list[Exception] = [
    Unauthorized("401"), Forbidden("403"), NotFound("404"), Expired("410"), ServiceUnavailable("503"),
    Unreachable("cut"), ApiError("no metadata"),
]  # fmt: skip


def run(main: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        runner.run(main)


class Server:
    """Objects with versions; ``fail`` answers the next requests with errors."""

    def __init__(self) -> None:
        self.objects: dict[str, JsonObject] = {}
        self.events: list[Event] = []
        self.version = 1
        self.compacted = 0
        self.failures: list[Exception] = []
        self.changed = asyncio.Event()
        self.lists = 0

    def write(self, name: str, *, gone: bool = False) -> None:
        self.version += 1
        old = self.objects.get(name)
        uid = old["metadata"]["uid"] if old else f"uid-{self.version}"
        obj = {"metadata": {"name": name, "uid": uid, "resourceVersion": str(self.version)}}
        if gone:
            if self.objects.pop(name, None) is None:
                return
            self.events.append(Event("DELETED", obj))
        else:
            self.events.append(Event("MODIFIED" if old else "ADDED", obj))
            self.objects[name] = obj
        self.changed.set()

    def _maybe_fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)

    async def list(
        self, gvr: Gvr, *, namespace: str = "", query: Mapping[str, str] | None = None
    ) -> tuple[list[JsonObject], str]:
        self.lists += 1
        await asyncio.sleep(0.01)
        self._maybe_fail()
        return list(self.objects.values()), str(self.version)

    async def watch(
        self, gvr: Gvr, *, namespace: str = "", resource_version: str = "", query: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Event, None]:
        after = int(resource_version)
        self._maybe_fail()
        while True:
            if after < self.compacted:
                raise Expired("too old")
            for event in [one for one in self.events if int(one.object["metadata"]["resourceVersion"]) > after]:
                after = int(event.object["metadata"]["resourceVersion"])
                yield event
            self.changed.clear()
            await self.changed.wait()
            self._maybe_fail()


class Feed:
    """Collects deltas into a cache."""

    def __init__(self, server: Server) -> None:
        self.deltas: list[Delta] = []
        self.cache: Cache[JsonObject] = Cache()
        self.reflector = Reflector(server, GVR, self.take, jitter=lambda: 0.5)

    def take(self, delta: Delta) -> None:
        self.deltas.append(delta)
        if delta.key is None:
            return
        if delta.kind == "deleted":
            self.cache.remove(delta.key)
        elif delta.object is not None:
            self.cache.put(delta.key, delta.object)

    def deleted(self) -> list[str]:
        return [delta.key.name for delta in self.deltas if delta.kind == "deleted" and delta.key]


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


def test_what_there_is_comes_first_then_complete_then_changes() -> None:
    async def main() -> None:
        server = Server()
        server.write("a")
        feed = Feed(server)
        task = asyncio.create_task(feed.reflector.run())
        await feed.reflector.synced.wait()
        server.write("b")
        server.write("a", gone=True)
        await asyncio.sleep(1)
        kinds = [(delta.kind, delta.key.name if delta.key else "") for delta in feed.deltas]
        assert kinds == [("added", "a"), ("complete", ""), ("added", "b"), ("deleted", "a")]
        assert server.lists == 1
        await stop(task)

    run(main())


@pytest.mark.parametrize("error", BREAKS, ids=str)
def test_no_error_makes_an_object_look_deleted(error: Exception) -> None:
    async def main() -> None:
        server = Server()
        server.write("a")
        feed = Feed(server)
        task = asyncio.create_task(feed.reflector.run())
        await feed.reflector.synced.wait()
        server.failures = [error] * 20
        server.write("b")
        await asyncio.sleep(3)
        assert feed.deleted() == []
        server.failures = []
        await asyncio.sleep(60)
        assert {key.name for key in feed.cache.keys()} == {"a", "b"}  # noqa: SIM118 - a method of ours
        assert feed.deleted() == []
        assert feed.reflector.healthy
        await stop(task)

    run(main())


def test_what_vanished_while_the_watch_was_blind_is_found_by_a_complete_list() -> None:
    async def main() -> None:
        server = Server()
        server.write("a")
        server.write("b")
        feed = Feed(server)
        task = asyncio.create_task(feed.reflector.run())
        await feed.reflector.synced.wait()
        server.failures = [Unreachable("cut")]
        server.write("a", gone=True)
        server.events.clear()
        server.compacted = server.version
        server.failures = [Unreachable("cut"), Expired("410"), Forbidden("403")]
        server.version += 1
        await asyncio.sleep(60)
        assert feed.deleted() == ["a"]
        assert feed.deltas[-1].kind == "complete"
        await stop(task)

    run(main())


def test_an_object_made_again_while_blind_is_another_one() -> None:
    async def main() -> None:
        server = Server()
        server.write("a")
        feed = Feed(server)
        task = asyncio.create_task(feed.reflector.run())
        await feed.reflector.synced.wait()
        del server.objects["a"]
        server.failures = [Expired("410")]
        server.write("a")
        await asyncio.sleep(60)
        kinds = [delta.kind for delta in feed.deltas]
        assert kinds == ["added", "complete", "deleted", "added", "complete"]
        await stop(task)

    run(main())


def test_a_hole_in_the_watch_is_mended_by_a_resync() -> None:
    """What the watch says while the list is under way is newer than the list."""

    async def main() -> None:
        server = Server()
        for name in "ab":
            server.write(name)
        feed = Feed(server)
        task = asyncio.create_task(feed.reflector.run())
        await feed.reflector.synced.wait()
        del server.objects["a"]  # no event tells: a restored server has gone on from there
        server.objects["c"] = {"metadata": {"name": "c", "uid": "c", "resourceVersion": "1"}}
        resync = asyncio.create_task(feed.reflector.resync())
        await asyncio.sleep(0.005)
        listed = dict(server.objects)
        server.write("d")
        server.write("b", gone=True)
        await asyncio.sleep(0.001)
        server.objects = listed  # the list is of before
        await resync
        assert {key.name for key in feed.cache.keys()} == {"c", "d"}  # noqa: SIM118 - a method of ours
        assert feed.deleted() == ["b", "a"]
        await stop(task)

    run(main())


def test_a_server_that_stays_older_was_restored() -> None:
    """Its revisions have not come back to where the watch waits, so that nothing would ever be told."""

    async def main() -> None:
        server = Server()
        for name in "ab":
            server.write(name)
        feed = Feed(server)
        task = asyncio.create_task(feed.reflector.run())
        await feed.reflector.synced.wait()
        del server.objects["b"]
        server.version = 1
        await feed.reflector.resync()
        await feed.reflector.resync()
        assert feed.deleted() == [], "twice may be a replica that lags"
        await asyncio.sleep(RESTORED_S)
        await feed.reflector.resync()
        assert feed.deleted() == ["b"]
        assert {key.name for key in feed.cache.keys()} == {"a"}  # noqa: SIM118 - a method of ours
        await stop(task)

    run(main())


def test_a_resync_takes_no_older_list_and_no_error_for_news() -> None:
    async def main() -> None:
        server = Server()
        server.write("a")
        feed = Feed(server)
        task = asyncio.create_task(feed.reflector.run())
        await feed.reflector.synced.wait()
        server.objects.clear()
        server.version -= 1
        await feed.reflector.resync()
        server.failures = [Forbidden("403")]
        with pytest.raises(Forbidden):
            await feed.reflector.resync()
        assert feed.deleted() == []
        await stop(task)

    run(main())


STEPS = st.lists(
    st.tuples(st.sampled_from(["write", "gone", "break", "compact", "wait"]), st.integers(0, 3), st.integers(0, 6)),
    max_size=25,
)


@given(STEPS)
def test_the_cache_ends_up_as_the_server_is(steps: list[tuple[str, int, int]]) -> None:
    """Whatever breaks in between; and nothing that lives is ever reported as deleted."""

    async def main() -> None:
        server = Server()
        feed = Feed(server)
        task = asyncio.create_task(feed.reflector.run())
        for step, name, which in steps:
            if step == "write":
                server.write(f"o{name}")
            elif step == "gone":
                server.write(f"o{name}", gone=True)
            elif step == "break":
                server.failures.append(BREAKS[which])
            elif step == "compact":
                server.compacted = server.version - 1
            else:
                await asyncio.sleep(which)
        server.failures.clear()
        server.write("last")
        await asyncio.sleep(120)
        assert {key.name: feed.cache.get(key) for key in feed.cache.keys()} == server.objects  # noqa: SIM118 - ours
        assert feed.cache.get(ObjectKey("", "", "last")) is not None
        await stop(task)

    run(main())


def test_after_a_restore_what_was_lost_is_reported() -> None:
    """A watch from a revision that is still to come would hide it; an older one's bookmark tells."""

    async def main() -> None:
        server = Restored()
        for name in "abc":
            server.write(name)
        feed = Feed(server)
        task = asyncio.create_task(feed.reflector.run())
        await feed.reflector.synced.wait()
        del server.objects["b"]
        server.version, server.events = 2, []
        server.failures = [Unreachable("restarted")]
        server.changed.set()
        await asyncio.sleep(RESTORED_S - 1)
        assert server.lists > 2
        assert feed.deleted() == [], "it may be a replica that lags"
        await asyncio.sleep(60)
        assert feed.deleted() == ["b"]
        assert feed.reflector.healthy
        server.write("b")
        await asyncio.sleep(1)
        assert feed.deltas[-1].kind == "added"
        await stop(task)

    run(main())


@pytest.mark.parametrize("is_polite", [True, False], ids=["says so", "says nothing"])
def test_f26_a_replica_that_lags_behind_a_410_is_not_believed(*, is_polite: bool) -> None:
    """What is known stays until a list comes that is as new: no object goes, none comes back, none turns old."""

    async def main() -> None:
        server = Replicas(is_polite=is_polite)
        for name in "ab":
            server.write(name)
        feed = Feed(server)
        task = asyncio.create_task(feed.reflector.run())
        await feed.reflector.synced.wait()
        server.fall_behind()
        server.write("b")
        server.write("a", gone=True)
        server.write("c")
        await asyncio.sleep(1)
        told = list(feed.deltas)
        server.is_behind = True
        server.failures = [Expired("410")]
        server.changed.set()
        await asyncio.sleep(RESTORED_S / 2)
        assert feed.deltas == told
        assert not feed.reflector.healthy
        assert server.lists in range(4, 12)
        server.is_behind = False
        server.write("d")
        await asyncio.sleep(30)
        assert {key.name for key in feed.cache.keys()} == set("bcd")  # noqa: SIM118 - a method of ours
        assert [delta.key and delta.key.name for delta in feed.deltas[len(told) :]] == ["d", None]
        assert feed.reflector.healthy
        await stop(task)

    run(main())


def test_a_restored_server_that_only_refuses_newer_lists_is_read_in_the_end() -> None:
    """It answers 504 to whoever asks for what it never had; after a while it is asked for what there is."""

    async def main() -> None:
        server = Replicas(is_polite=True)
        for name in "ab":
            server.write(name)
        feed = Feed(server)
        task = asyncio.create_task(feed.reflector.run())
        await feed.reflector.synced.wait()
        server.fall_behind()
        server.write("b", gone=True)
        server.write("c")
        await asyncio.sleep(1)
        server.is_behind = True
        server.events.clear()
        server.failures = [Expired("410")]
        server.changed.set()
        await asyncio.sleep(RESTORED_S + 60)
        assert {key.name for key in feed.cache.keys()} == set("ab")  # noqa: SIM118 - a method of ours
        await stop(task)

    run(main())


def test_a_refusal_for_now_is_waited_out() -> None:
    """No request comes before the time that ``Retry-After`` named."""

    async def main() -> None:
        server = Server()
        feed = Feed(server)
        server.failures = [TooManyRequests("later", retry_after_s=20)]
        task = asyncio.create_task(feed.reflector.run())
        await asyncio.sleep(19)
        assert server.lists == 1
        await asyncio.sleep(2)
        assert feed.reflector.synced.is_set()
        await stop(task)

    run(main())


class Replicas(Server):
    """Answers lists and watches from an older state while ``is_behind``, and says so to who asks if it is polite."""

    def __init__(self, *, is_polite: bool) -> None:
        super().__init__()
        self.is_polite = is_polite
        self.is_behind = False
        self.old: tuple[list[JsonObject], int] = ([], 0)

    def fall_behind(self) -> None:
        self.old = (list(self.objects.values()), self.version)

    async def list(
        self, gvr: Gvr, *, namespace: str = "", query: Mapping[str, str] | None = None
    ) -> tuple[list[JsonObject], str]:
        items, version = await super().list(gvr, namespace=namespace, query=query)
        if not self.is_behind:
            return items, version
        items, old = self.old
        if self.is_polite and int((query or {}).get("resourceVersion", "0")) > old:
            assert (query or {})["resourceVersionMatch"] == "NotOlderThan"
            raise Timeout("Timeout: Too large resource version", retry_after_s=1)
        return items, str(old)


class Restored(Server):
    """Tells its own revision whenever a watch begins, as bookmarks do."""

    async def watch(
        self, gvr: Gvr, *, namespace: str = "", resource_version: str = "", query: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Event, None]:
        yield Event("BOOKMARK", {"metadata": {"resourceVersion": str(self.version)}})
        async for event in super().watch(gvr, resource_version=resource_version):
            yield event
