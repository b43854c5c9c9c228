"""What is kept of reads is always what the store holds, and never more than allowed."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_control_plane.store.contract import (
    Compare,
    CompareFailed,
    Delete,
    Event,
    Operation,
    Put,
    Row,
    prefix_end,
)
from fairlead_control_plane.store.read_cache import ReadCache
from fairlead_control_plane.store.sqlite import SqliteSettings, SqliteStore
from fairlead_control_plane.store.transaction import transaction_of

KEYS = [f"/{kind}/{name}" for kind in ("a", "a/b", "c") for name in ("x", "y", "\ue000", "\U00010000")]
PREFIXES = ["/", "/a/", "/a/b/", "/c/"]

steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from(KEYS), st.integers(0, 3000)),
        st.tuples(st.just("delete"), st.sampled_from(KEYS), st.just(0)),
        st.tuples(st.just("get"), st.sampled_from(KEYS), st.just(0)),
        st.tuples(st.just("range"), st.sampled_from(PREFIXES), st.integers(0, 3)),
    ),
    max_size=60,
)


@given(steps, st.sampled_from([0, 4_000, 1 << 20]))
async def test_a_store_with_a_cache_answers_like_one_without(
    steps: list[tuple[str, str, int]], cache_bytes: int
) -> None:
    kept = await SqliteStore.open(":memory:", SqliteSettings(history_s=0, cache_bytes=cache_bytes))
    plain: dict[str, Row] = {}
    for what, key, number in steps:
        if what == "get":
            assert await kept.get(key) == plain.get(key)
        elif what == "range":
            found = await kept.range(key, prefix_end(key), limit=number)
            rows = sorted((row for row in plain.values() if row.key.startswith(key)), key=lambda row: row.key.encode())
            shown = rows[:number] if number else rows
            assert list(found.rows) == shown
            assert found.revision == kept.revision
            assert (found.more, found.remaining) == (len(rows) > len(shown), len(rows) - len(shown))
        else:
            operation: Operation = Put(key, b"v" * number) if what == "put" else Delete(key)
            revision = await kept.commit([operation])
            old = plain.pop(key, None)
            if isinstance(operation, Put):
                created = revision if old is None else old.create_revision
                plain[key] = Row(key, operation.value, created, revision)
    assert kept._cache.size <= cache_bytes
    await kept.close()


def row(key: str, revision: int, size: int = 10) -> Row:
    return Row(key, b"v" * size, revision, revision)


def test_what_changes_while_a_range_is_read_is_in_it() -> None:
    cache = ReadCache()
    kept = cache.begin("/a/")
    assert kept is not None
    assert cache.begin("/a/") is None
    assert cache.range("/a/") is None
    new, early = row("/a/1", 8), row("/a/3", 6)
    cache.note([transaction_of(6, [Event(6, "/a/3", early, None)]), transaction_of(8, [Event(8, "/a/1", new, None)])])
    cache.finish("/a/", kept, [row("/a/2", 5), early], 7)
    assert cache.range("/a/") == [new, row("/a/2", 5), early]


def test_a_range_stays_the_same_sequence_until_it_changes() -> None:
    cache = ReadCache()
    kept = cache.begin("/a/")
    assert kept is not None
    cache.finish("/a/", kept, [row("/a/1", 5)], 5)
    first = cache.range("/a/")
    cache.note([transaction_of(6, [Event(6, "/b/1", row("/b/1", 6), None)])])
    assert cache.range("/a/") is first
    cache.note([transaction_of(7, [Event(7, "/a/1", row("/a/1", 7), row("/a/1", 5))])])
    assert cache.range("/a/") == [row("/a/1", 7)]


def test_a_read_that_failed_or_was_too_large_is_not_kept() -> None:
    cache = ReadCache(10_000)
    for rows in (None, [row("/a/1", 5, 6_000)]):
        kept = cache.begin("/a/")
        assert kept is not None
        cache.finish("/a/", kept, rows, 5)
        assert cache.range("/a/") is None
        assert cache.size == 0


def test_what_was_not_read_for_longest_goes_first() -> None:
    cache = ReadCache(3_000)
    for number in (1, 2):
        cache.keep(f"/a/{number}", row(f"/a/{number}", 5, 1_000))
    cache.get("/a/1")
    cache.keep("/a/3", row("/a/3", 5, 1_000))
    with pytest.raises(KeyError):
        cache.get("/a/2")
    assert cache.get("/a/1") is not None
    assert cache.get("/a/3") is not None


def test_that_there_is_no_row_is_known_until_there_is_one() -> None:
    cache = ReadCache()
    cache.keep("/a/1", None)
    assert cache.get("/a/1") is None
    new = row("/a/1", 6)
    cache.note([transaction_of(6, [Event(6, "/a/1", new, None)])])
    assert cache.get("/a/1") == new
    cache.note([transaction_of(7, [Event(7, "/a/1", None, new)])])
    assert cache.get("/a/1") is None


def test_names_that_do_not_exist_are_bounded_too() -> None:
    cache = ReadCache(10_000)
    for number in range(1_000):
        cache.keep(f"/a/{number}", None)
    assert 9_000 < cache.size <= 10_000


async def test_a_compare_sees_what_the_same_batch_wrote() -> None:
    """Of transactions that wait together, also where the cache knows the row from before them."""
    store = await SqliteStore.open(":memory:")
    first = await store.commit([Put("/a", b"1")])
    assert await store.get("/a") is not None
    assert await store.get("/b") is None
    outcomes = await asyncio.gather(
        store.commit([Put("/a", b"2"), Put("/b", b"1")], [Compare("/a", first), Compare("/b", 0)]),
        store.commit([Put("/a", b"3")], [Compare("/a", first)]),
        store.commit([Put("/b", b"2")], [Compare("/b", 0)]),
        store.commit([Delete("/b")], [Compare("/b", first + 1)]),
        store.commit([Put("/b", b"3")], [Compare("/b", 0)]),
        return_exceptions=True,
    )
    assert [outcome if isinstance(outcome, int) else type(outcome) for outcome in outcomes] == [
        first + 1, CompareFailed, CompareFailed, first + 2, first + 3,
    ]  # fmt: skip
    found = await store.get("/b")
    assert found is not None
    assert (found.value, found.create_revision) == (b"3", first + 3)
    await store.close()
