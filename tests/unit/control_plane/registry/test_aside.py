"""Large objects are worked on beside the event loop, others in it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_api import JsonObject
from fairlead_api.errors import RequestTooLarge
from fairlead_control_plane.registry import patching
from fairlead_control_plane.registry.aside import MEMBERS, MOST, WHO, _members, aside, is_large, weighed
from fairlead_schema import apply
from fairlead_schema.jsonpatch import apply_json_patch
from tests.unit.control_plane.in_process import APPLY, MAPS, MERGE, in_process

JSON = st.recursive(st.integers(0, 9), lambda inner: st.lists(inner, max_size=5), max_leaves=20)


def members(value: object) -> int:
    if isinstance(value, dict):
        return len(value) + sum(members(item) for item in value.values())
    return len(value) + sum(members(item) for item in value) if isinstance(value, list) else 0


@given(st.dictionaries(st.sampled_from("abcdef"), JSON), st.integers(MEMBERS - 100, MEMBERS + 100))
def test_members_of_all_depths_count(obj: JsonObject, more: int) -> None:
    """However they are nested."""
    whole = {"inner": [obj, {"list": ["x"] * more}]}
    assert is_large(whole) is (members(whole) > MEMBERS)


async def test_the_thread_is_another() -> None:
    """And is not asked for what is small."""
    here = threading.get_ident()
    assert await aside(threading.get_ident, is_large=False) == here
    assert await aside(threading.get_ident, is_large=True) != here


@pytest.mark.parametrize(("count", "is_aside"), [(3, False), (MEMBERS + 1, True)])
async def test_walks_of_large_objects_leave_the_loop(
    monkeypatch: pytest.MonkeyPatch, count: int, *, is_aside: bool
) -> None:
    """Who manages which fields, and the kind's own rules: for a create, an update and a patch."""
    seen: list[tuple[str, bool]] = []
    loop = threading.get_ident()

    def watched(name: str, call):  # type: ignore[no-untyped-def]
        def spy(*args, **more):  # type: ignore[no-untyped-def]
            seen.append((name, threading.get_ident() != loop))
            return call(*args, **more)

        return spy

    monkeypatch.setattr(apply, "update", watched("manage", apply.update))
    monkeypatch.setattr(apply, "apply", watched("apply", apply.apply))
    data = {f"k{number}": "" for number in range(count)}
    async with in_process() as api:
        for method, path, body, kind in (
            ("POST", MAPS, {"metadata": {"name": "m"}, "data": data}, "application/json"),
            ("PUT", f"{MAPS}/m", {"metadata": {"name": "m"}, "data": {**data, "one": "more"}}, "application/json"),
            ("PATCH", f"{MAPS}/m", {"data": {"two": "more"}}, MERGE),
        ):
            seen.clear()
            answer = await api.send(method, path, body, kind=kind)
            assert answer.code in (200, 201), answer.body
            assert seen == [("manage", is_aside)]
        seen.clear()
        config = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "n", "namespace": "default"},
            "data": data,
        }
        answer = await api.send("PATCH", f"{MAPS}/n", config, kind=APPLY, fieldManager="x")
        assert (answer.code, seen) == (201, [("apply", is_aside)])


async def test_nothing_has_more_members_than_could_be_kept() -> None:
    """413; what the server itself notes about the fields is not held against the object."""
    most = {f"k{number}": "" for number in range(MOST - 2)}
    kept = {"data": most, "metadata": {"managedFields": [{"fieldsV1": {f"f:{key}": {} for key in most}}]}}
    assert await weighed({"data": most})
    assert await weighed({**kept, "data": dict(list(most.items())[:-2])})
    with pytest.raises(RequestTooLarge, match="limit is 60000 keys and items"):
        await weighed({"data": {**most, "a": "", "b": "", "c": ""}})
    with pytest.raises(RequestTooLarge):
        await weighed({"metadata": {"managedFields": [{f"f:{number}": {} for number in range(2 * MOST + 1)}]}})


async def test_no_more_is_weighed_than_is_needed() -> None:
    """An object of any size is refused after as many members as it may have."""
    with pytest.raises(RequestTooLarge):
        await weighed({"a": [[1] * 3_000] * 1_000})
    assert _members([[0] * 100] * 100, 50) == 100
    assert _members([[0] * 100] * 100, 10_000) == 10_100


@pytest.mark.parametrize("whole", [{"a": "x" * (64 * MEMBERS)}, {"a": [{"b": "x" * 6400}] * 21}, ["x" * 64] * 1001])
def test_long_texts_are_large(whole: JsonObject) -> None:
    """A pattern has to look at each character."""
    assert is_large(whole)
    assert not is_large({"a": "x" * (32 * MEMBERS)})


async def test_long_patches_of_small_objects_leave_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand operations say much in few words."""
    seen: list[bool] = []
    loop, apply_patch = threading.get_ident(), apply_json_patch

    def spy(doc: JsonObject, operations: object) -> JsonObject:
        seen.append(threading.get_ident() != loop)
        return apply_patch(doc, operations)

    monkeypatch.setattr(patching, "apply_json_patch", spy)
    one = {"op": "test", "path": "/data/k", "value": "v"}
    async with in_process() as api:
        await api.send("POST", MAPS, {"metadata": {"name": "m"}, "data": {"k": "v"}})
        for count in (1, 2_000):
            answer = await api.send("PATCH", f"{MAPS}/m", [one] * count, kind="application/json-patch+json")
            assert answer.code == 200
    assert seen == [False, True]


async def test_a_workspace_waits_for_itself_alone() -> None:
    """Whoever sends many large objects has one thread; the others' are looked at meanwhile."""
    order: list[str] = []
    begun, may_end = threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        may_end.wait()
        order.append("slow")

    async def work(who: str, what: Callable[[], None]) -> None:
        WHO.set(who)
        await aside(what, is_large=True)

    first = asyncio.create_task(work("greedy", slow), name="first")
    more = [asyncio.create_task(work("greedy", lambda: order.append("more")), name="more") for _ in range(5)]
    await asyncio.to_thread(begun.wait)
    await work("other", lambda: order.append("other"))
    # Who goes away leaves neither his own work nor a turn behind.
    first.cancel()
    more[0].cancel()
    await asyncio.gather(first, more[0], return_exceptions=True)
    await work("other", lambda: order.append("other"))
    may_end.set()
    await asyncio.gather(*more[1:])
    assert order == ["other", "other", "slow", "more", "more", "more", "more"]
    await work("greedy", lambda: order.append("again"))
    assert order[-1] == "again"
