"""One status from many reports, and shares that add up."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fairlead_transforms.division import even
from fairlead_transforms.summarize import Report, is_ready, summarize


def report(target: str, observed: int, **status: Any) -> Report:
    return Report(target, status, observed)


def test_observed_generation_is_translated() -> None:
    """A fresh cluster counts from 1; upstream sees the generation it wrote."""
    status = summarize("apps", "deployments", [report("a", 7, observedGeneration=1, replicas=3)])
    assert status == {"observedGeneration": 7, "replicas": 3}


def test_upstream_observes_the_least() -> None:
    """Of two targets the one that lags decides."""
    status = summarize(
        "apps",
        "deployments",
        [report("a", 7, observedGeneration=2, readyReplicas=2), report("b", 6, observedGeneration=9, readyReplicas=1)],
    )
    assert status is not None
    assert status["observedGeneration"] == 6
    assert status["readyReplicas"] == 3


def test_a_silent_target_holds_the_generation_back() -> None:
    """A target that has said nothing has observed nothing."""
    status = summarize("apps", "deployments", [report("a", 7, observedGeneration=2), Report("b", None, 0)])
    assert status == {}


def test_nothing_known_leaves_the_old_status() -> None:
    """No report is not an empty status."""
    assert summarize("apps", "deployments", [Report("a", None, 0)]) is None


def test_false_conditions_are_not_hidden() -> None:
    """If any target is not Available, the sum is not."""
    good = {"type": "Available", "status": "True"}
    bad = {"type": "Available", "status": "False", "reason": "x"}
    status = summarize("apps", "deployments", [report("a", 1, conditions=[good]), report("b", 1, conditions=[bad])])
    assert status is not None
    assert status["conditions"] == [bad]


@given(st.integers(0, 10_000), st.sets(st.text(min_size=1), min_size=1, max_size=9))
def test_shares_add_up(replicas: int, targets: set[str]) -> None:
    """The sum is what was asked for, no share differs from another by more than one, order is no input."""
    shares = even(replicas, list(targets))
    assert sum(shares.values()) == replicas
    assert max(shares.values()) - min(shares.values()) <= 1
    assert shares == even(replicas, sorted(targets, reverse=True))


@given(st.permutations(["a", "b", "c"]), st.lists(st.integers(0, 5), min_size=3, max_size=3))
def test_order_of_reports_does_not_matter(order: list[str], ready: list[int]) -> None:
    """Reports come in any order; the status is the same."""
    by_target = {t: report(t, 1, observedGeneration=1, readyReplicas=n) for t, n in zip("abc", ready, strict=True)}
    assert summarize("apps", "deployments", [by_target[t] for t in order]) == summarize(
        "apps", "deployments", list(by_target.values())
    )


def test_ready_means_the_new_generation_in_full() -> None:
    """Old replicas that are ready under an old generation do not count."""
    full = {"replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}
    assert is_ready("apps", "deployments", {"replicas": 2}, Report("a", full, 4), generation=4)
    assert not is_ready("apps", "deployments", {"replicas": 2}, Report("a", full, 3), generation=4)
    assert not is_ready("apps", "deployments", {"replicas": 3}, Report("a", full, 4), generation=4)
    assert is_ready("apps", "deployments", {"replicas": 0}, Report("a", {}, 4), generation=4)


_NONSENSE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
_FIELDS = ("replicas", "readyReplicas", "conditions", "loadBalancer", "collisionCount", "updatedReplicas")


@given(st.dictionaries(st.sampled_from(_FIELDS), _NONSENSE), st.sampled_from(["deployments", "services"]))
def test_s72_nonsense_from_one_cluster_spoils_nothing(nonsense: dict[str, Any], plural: str) -> None:
    """Whatever one target says, the other's counts stand, and nothing fails."""
    group = "apps" if plural == "deployments" else ""
    honest = report("a", 1, readyReplicas=2, conditions=[{"type": "Available", "status": "True"}])
    status = summarize(group, plural, [honest, report("b", 1, **nonsense)])
    assert status is not None
    if plural == "deployments":
        wrong = nonsense.get("readyReplicas")
        assert status["readyReplicas"] == 2 + (wrong if type(wrong) is int else 0)
    assert is_ready("apps", "deployments", {"replicas": 1}, report("b", 1, **nonsense), generation=1) in {True, False}
