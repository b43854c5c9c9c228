"""The demo's proof that no ready replica was lost: it holds for good histories and finds every planted loss."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_api import JsonObject
from fairlead_cli.demo_history import History, Seen, fewest_ready
from fairlead_cli.demo_story import REPLICAS, WORKSPACE, check_drain
from fairlead_cli.failure import Failure

OLD, NEW = "lab-eu-1", "lab-us-1"


def pod(name: str, *, ready: bool = True, going: bool = False) -> JsonObject:
    metadata: JsonObject = {"name": name, "namespace": "n"}
    if going:
        metadata["deletionTimestamp"] = "2030-01-01T00:00:00Z"
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    return {"kind": "Pod", "metadata": metadata, "status": {"conditions": conditions}}


def deployment(ready: int) -> JsonObject:
    return {"kind": "Deployment", "metadata": {"name": "web", "namespace": "n"}, "status": {"readyReplicas": ready}}


def overlap() -> list[tuple[str, str, JsonObject]]:
    """Return a move as it should be: each new pod ready before the old ones go."""
    names = [f"p{number}" for number in range(REPLICAS)]
    return [
        *[(NEW, "ADDED", pod(name, ready=False)) for name in names],
        *[(NEW, "MODIFIED", pod(name)) for name in names],
        (WORKSPACE, "MODIFIED", deployment(REPLICAS)),
        *[(OLD, "MODIFIED", pod(name, going=True)) for name in names],
        *[(OLD, "DELETED", pod(name, going=True)) for name in names],
    ]


def history(moves: list[tuple[str, str, JsonObject]]) -> History:
    """Return a history in which all old pods were ready at second 0 and the moves follow, one a second."""
    found = History()
    for number in range(REPLICAS):
        found.add(Seen(0.0, OLD, "ADDED", pod(f"p{number}")))
    for at_s, (place, type_, obj) in enumerate(moves, start=2):
        found.add(Seen(float(at_s), place, type_, obj))
    return found


def test_an_overlapping_move_passes() -> None:
    """Nothing is found where nothing was lost."""
    check_drain(history(overlap()), [OLD, NEW], 1.0)


@pytest.mark.parametrize("how", ["unready", "going", "deleted"])
@pytest.mark.parametrize("when", range(2 * REPLICAS))
def test_a_pod_lost_too_early_is_found(how: str, when: int) -> None:
    """A pod that stops being ready before all new ones are, for one moment, in any way, fails the drain."""
    lost = {
        "unready": (OLD, "MODIFIED", pod("p0", ready=False)),
        "going": (OLD, "MODIFIED", pod("p0", going=True)),
        "deleted": (OLD, "DELETED", pod("p0")),
    }[how]
    moves = overlap()
    moves[when:when] = [lost, (OLD, "MODIFIED", pod("p0"))]
    counted = when - REPLICAS  # new pods ready by then make up for it
    planted = history(moves)
    if counted >= 1:
        check_drain(planted, [OLD, NEW], 1.0)
        return
    with pytest.raises(Failure, match=f"{REPLICAS - 1} of {REPLICAS} were ready"):
        check_drain(planted, [OLD, NEW], 1.0)


def test_a_status_that_shows_a_loss_is_found() -> None:
    """The workspace must not show a dip either, nor lose the Deployment."""
    with pytest.raises(Failure, match="readyReplicas was 2"):
        check_drain(history([*overlap(), (WORKSPACE, "MODIFIED", deployment(2))]), [OLD, NEW], 1.0)
    with pytest.raises(Failure, match="workspace showed"):
        check_drain(history([*overlap(), (WORKSPACE, "DELETED", deployment(3))]), [OLD, NEW], 1.0)


def test_nothing_ready_at_the_beginning_is_a_loss() -> None:
    """A drain that begins without the replicas asked for proves nothing, and fails."""
    with pytest.raises(Failure):
        check_drain(History(), [OLD, NEW], 1.0)


@given(st.lists(st.tuples(st.sampled_from([OLD, NEW]), st.integers(0, 3), st.booleans()), max_size=30))
def test_the_fewest_is_the_least_of_all_moments(changes: list[tuple[str, int, bool]]) -> None:
    """The answer is what counting anew after every event gives."""
    events: list[Seen] = []
    state: dict[tuple[str, int], bool] = {}
    counts = [0]
    for at_s, (place, number, ready) in enumerate(changes):
        events.append(Seen(float(at_s), place, "MODIFIED", pod(f"p{number}", ready=ready)))
        state[place, number] = ready
        counts.append(sum(state.values()))
    assert fewest_ready(events, [OLD, NEW], -1.0) == min(counts)
    middle = len(changes) // 2
    assert fewest_ready(events, [OLD, NEW], middle - 1.0) == min(counts[middle:])
