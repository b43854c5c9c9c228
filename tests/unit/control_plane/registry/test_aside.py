"""Large objects are worked on beside the event loop, others in it."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_api import JsonObject
from fairlead_control_plane.registry.aside import MEMBERS, aside, is_large
from fairlead_schema import apply
from tests.unit.control_plane.in_process import MAPS, MERGE, in_process

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
