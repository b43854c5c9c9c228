"""The feed: who is told of what, and at what cost."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from fairlead_control_plane.store.contract import Event, Row, prefix_end
from fairlead_control_plane.store.feed import Feed, FeedLimits, Subscription
from fairlead_control_plane.store.transaction import Transaction, transactions_of

KEYS = st.text("/ab0-", min_size=1, max_size=6).map(lambda text: "/" + text)


def put(revision: int, key: str, value: bytes = b"") -> Event:
    return Event(revision, key, Row(key, value, revision, revision), None)


def pending(subscription: Subscription) -> list[Event]:
    return subscription._pending


@given(starts=st.lists(st.tuples(KEYS, KEYS, st.booleans()), max_size=8), keys=st.lists(KEYS, min_size=1, max_size=12))
def test_watches_get_exactly_their_range(starts: list[tuple[str, str, bool]], keys: list[str]) -> None:
    """Found through prefixes or not, live or from the ring, a watch gets what its bounds say."""
    ranges = [
        (a.rstrip("/") + "/", prefix_end(a.rstrip("/") + "/")) if is_prefix else (a, b) for a, b, is_prefix in starts
    ]
    events = [put(revision, key) for revision, key in enumerate(keys, start=2)]
    feed = Feed(1)
    live = [feed.subscribe(*bounds, after=1) for bounds in ranges]
    feed.publish(transactions_of(events))
    late = [feed.subscribe(*bounds, after=1) for bounds in ranges]
    for (start, end), one, other in zip(ranges, live, late, strict=True):
        expected = [event for event in events if start <= event.key < end]
        assert pending(one) == expected
        assert pending(other) == expected


def test_event_costs_nothing_to_unrelated_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    """With ten thousand watches of other prefixes, one is looked at."""
    feed = Feed(1)
    for i in range(10_000):
        feed.subscribe(f"/pods/{i}/", f"/pods/{i}0", after=1)
    looked_at: list[str] = []
    monkeypatch.setattr(Subscription, "offer", lambda self, _events, _size: looked_at.append(self.start))
    assert len(list(feed._watching("/pods/77/x"))) == 1
    feed.publish([Transaction(2, [put(2, "/pods/77/x")], 10)])
    assert looked_at == ["/pods/77/"]


@pytest.mark.parametrize("limits", [FeedLimits(ring_events=10), FeedLimits(ring_bytes=10 * 112)])
def test_ring_is_bounded(limits: FeedLimits) -> None:
    """By number and by size; what it forgot cannot be asked for by mistake."""
    feed = Feed(1, limits)
    feed.publish(transactions_of(put(revision, "/a/key", b"x" * 100) for revision in range(2, 102)))
    assert (feed.floor, feed.revision) == (91, 101)
    assert len(pending(feed.subscribe("/a/", "/a0", after=91))) == 10
    with pytest.raises(ValueError, match="left the ring"):
        feed.subscribe("/a/", "/a0", after=90)


async def test_ended_watch_gives_what_it_has_first() -> None:
    """An orderly end loses nothing; afterwards nothing is added."""
    feed = Feed(1)
    subscription = feed.subscribe("/", "0", after=1)
    feed.publish(transactions_of([put(2, "/a")]))
    feed.stop()
    feed.publish(transactions_of([put(3, "/a")]))
    assert [event.revision for event in await subscription.take() or ()] == [2]
    assert await subscription.take() is None


def test_unsubscribed_watch_is_forgotten() -> None:
    """Twice is as good as once, and the index does not grow with watches that were."""
    feed = Feed(1)
    for bounds in (("/a/", "/a0"), ("/a", "/b")):
        subscription = feed.subscribe(*bounds, after=1)
        feed.unsubscribe(subscription)
        feed.unsubscribe(subscription)
    assert not feed._by_prefix
    assert not feed._others
