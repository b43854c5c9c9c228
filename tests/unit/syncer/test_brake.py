"""The brake: bursts stop, single words pass, an approval is of exactly one set."""

from hypothesis import given
from hypothesis import strategies as st

from fairlead_syncer.brake import Brake


def ask(brake: Brake, number: int, cause: str = "Unassigned", *, total: int = 100, now_s: float = 0.0) -> bool:
    return brake.allows((f"default/web-{number}", f"u{number}"), cause, total=total, now_s=now_s)


def test_a_burst_stops_at_the_share() -> None:
    """Of a hundred objects thirty may go, the rest waits."""
    brake = Brake(share=0.3, floor=5)
    assert [ask(brake, n) for n in range(100)].count(True) == 30
    assert len(brake.held) == 70


def test_small_targets_can_breathe() -> None:
    """The floor is allowed whatever the share says."""
    brake = Brake(share=0.3, floor=5)
    assert [ask(brake, n, total=6) for n in range(6)].count(True) == 5


def test_single_words_and_moves_are_not_counted() -> None:
    """What users delete one by one, and what moves with a ready replacement, always passes."""
    brake = Brake(share=0.0, floor=0)
    assert all(ask(brake, n, cause) for n, cause in enumerate(["Deleted", "Moved", "Replaced"] * 50))
    assert not brake.held


def test_the_window_slides() -> None:
    """Slow deletions never add up to a burst."""
    brake = Brake(share=0.1, floor=1, window_s=60)
    assert all(ask(brake, n, now_s=n * 10.0) for n in range(200))


def test_asking_again_changes_nothing() -> None:
    """A deletion that is retried counts once."""
    brake = Brake(share=0.0, floor=1)
    assert ask(brake, 1)
    assert ask(brake, 1)
    assert not ask(brake, 2)
    assert not ask(brake, 2)
    assert list(brake.held) == ["u2"]


def test_approval_is_of_exactly_one_set() -> None:
    """A set that grew since it was looked at stays held; the one approved goes, once."""
    brake = Brake(share=0.0, floor=0)
    ask(brake, 1)
    seen = brake.digest
    ask(brake, 2)
    assert brake.approve(seen) == []
    assert not ask(brake, 1)
    assert sorted(brake.approve(brake.digest)) == ["u1", "u2"]
    assert ask(brake, 1)
    assert ask(brake, 2)
    assert not ask(brake, 3)
    brake.forget(["u1"])
    assert not ask(brake, 1)


def test_an_approval_begins_the_window_anew() -> None:
    """What follows a burst that was judged is a new one."""
    brake = Brake(share=0.0, floor=1)
    assert [ask(brake, n) for n in range(3)] == [True, False, False]
    assert brake.approve(brake.digest) == ["u1", "u2"]
    assert ask(brake, 3)
    assert not ask(brake, 4)


def test_a_share_of_one_is_no_brake() -> None:
    """Everything passes, also while what is left shrinks."""
    brake = Brake(share=1.0, floor=0)
    assert all(ask(brake, n, total=100 - n) for n in range(100))


def test_the_share_is_of_what_there_was() -> None:
    """Objects that are confirmed as gone do not lower what may pass in the same window."""
    brake = Brake(share=0.5, floor=0)
    assert [ask(brake, n, total=100 - n) for n in range(100)].count(True) == 50


def test_a_restart_brings_no_new_allowance() -> None:
    """An agent that is told that deletions were held begins with none, for one window."""
    brake = Brake(share=0.5, floor=5, window_s=60)
    brake.spend(now_s=0.0)
    assert not ask(brake, 1, now_s=59.0)
    brake.forget(["u1"])
    assert ask(brake, 1, now_s=60.0)


def test_what_reappears_needs_no_approval() -> None:
    """A held deletion that is taken back leaves the set."""
    brake = Brake(share=0.0, floor=0)
    ask(brake, 1)
    brake.forget(["u1"])
    assert brake.digest == ""


@given(st.lists(st.integers(0, 40), max_size=200), st.integers(0, 10), st.floats(0, 1))
def test_never_more_than_allowed_within_a_window(numbers: list[int], floor: int, share: float) -> None:
    """Whatever is asked, distinct deletions that pass never exceed the allowance."""
    brake = Brake(share=share, floor=floor)
    passed = {n for n in numbers if ask(brake, n, total=40)}
    assert len(passed) <= max(floor, int(40 * share))


@given(st.lists(st.tuples(st.floats(0, 30), st.booleans()), max_size=60))
def test_lives_share_one_allowance(history: list[tuple[float, bool]]) -> None:
    """However often an agent is killed, no more passes within a window than in one life."""
    brake, now_s, passed = Brake(share=0.0, floor=5, window_s=60), 0.0, list[float]()
    for number, (wait_s, is_killed) in enumerate(history):
        now_s += wait_s
        if is_killed:
            told = brake.passed(now_s)
            assert len(told) <= 11
            assert sum(count for _, count in told) == len([at for at in passed if at > now_s - 60])
            brake = Brake(share=0.0, floor=5, window_s=60)
            brake.resume(told, now_s)
        if ask(brake, number, now_s=now_s):
            passed.append(now_s)
        brake.forget([f"u{number}"])
        assert len([at for at in passed if at > now_s - 60]) <= 5


def test_an_approval_spends_nothing() -> None:
    """Nothing of an earlier life counts any more, either."""
    brake = Brake(share=0.0, floor=2)
    brake.resume([(10.0, 2)], now_s=0.0)
    assert not ask(brake, 1)
    assert brake.approve(brake.digest) == ["u1"]
    assert brake.passed(0.0) == []
    assert ask(brake, 2)
