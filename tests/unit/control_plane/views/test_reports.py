"""What a target says is believed as far as it can know, and a status ends with the last target that had one."""

from typing import Any

import pytest

from fairlead_api import JsonObject
from fairlead_api.errors import BadRequest, Conflict, NotFound
from fairlead_control_plane.store.contract import Row
from fairlead_control_plane.views import reports, rows


def row(**values: Any) -> Row:
    view = rows.View("u1", "apps/v1", "Deployment", generation=3, **values)
    return Row("/views/t/apps/deployments/-/c/default/web", view.encode(), 1, 2)


def test_no_generation_is_observed_before_it_was_told() -> None:
    """A mark in the cluster that was edited upwards does not finish a rollout that has not begun."""
    report = {"appliedGeneration": 99, "downstreamGeneration": 1, "observedGeneration": 1}
    assert reports.accept(row(), "u1", {}, report).observed == 3


def test_observed_never_goes_back() -> None:
    """A late report of an older generation changes nothing of what was seen."""
    report = {"appliedGeneration": 1, "downstreamGeneration": 1, "observedGeneration": 1}
    assert reports.accept(row(observed=2), "u1", {}, report).observed == 2


def test_a_refusal_does_not_unmake_what_is_there() -> None:
    """The uid of what was made before stays known."""
    view = reports.accept(row(report={"downstreamUID": "d1"}), "u1", None, {"synced": False, "reason": "Refused"})
    assert view.downstream_uid == "d1"


def test_what_is_replaced_is_known_until_something_else_was_made() -> None:
    """A refusal, or a word about what is still there, does not make it forgotten."""
    of = row(report={"downstreamUID": "d1", "replaces": "u0"})
    for report in ({"synced": False, "reason": "Refused"}, {"downstreamUID": "d1"}):
        assert reports.accept(of, "u1", None, report).report["replaces"] == "u0"
    assert "replaces" not in reports.accept(of, "u1", None, {"downstreamUID": "d2"}).report


@pytest.mark.parametrize(
    ("given", "uid", "report", "error"),
    [
        (None, "u1", {}, NotFound),
        (row(), "u2", {}, Conflict),
        (row(), "u1", {"synced": 1}, BadRequest),
        (row(), "u1", {"appliedGeneration": True}, BadRequest),
        (row(), "u1", {"tokens": {"kcp-token-default": 1}}, BadRequest),
    ],
)
def test_bad_reports_are_refused(given: Row | None, uid: str, report: JsonObject, error: type[Exception]) -> None:
    """Not assigned, of another object, mistyped."""
    with pytest.raises(error):
        reports.accept(given, uid, None, report)


def test_long_words_are_cut() -> None:
    """Twenty of them must fit into the Assignment, which also says how far all other targets are."""
    said = {"synced": False, "reason": "r" * 2_000_000, "message": "m" * 2_000_000}
    report = reports.accept(row(), "u1", None, said).report
    assert (len(report["reason"]), len(report["message"])) == (1024, 1024)
    assert report["message"].endswith("m...")


def test_fields_of_other_versions_and_of_the_server_are_passed_over() -> None:
    """An agent that is newer is understood as far as it can be; what is the server's own it cannot say."""
    view = reports.accept(row(), "u1", None, {"synced": True, "fromTheFuture": [1], "replaces": "u0"})
    assert view.report == {"synced": True}


@pytest.mark.parametrize(
    ("key", "spec", "expected"),
    [
        ("/apps/deployments/-/c/d/n", {"replicas": 2}, {"observedGeneration": 4, "unavailableReplicas": 2}),
        ("/apps/deployments/-/c/d/n", {"replicas": 0}, {"observedGeneration": 4}),
        ("/apps/statefulsets/-/c/d/n", {"replicas": 2}, {"observedGeneration": 4, "replicas": 0}),
        ("/core/services/-/c/d/n", {}, {"loadBalancer": {}}),
        ("/core/persistentvolumeclaims/-/c/d/n", {}, {}),
    ],
)
def test_status_of_nobody(key: str, spec: JsonObject, expected: JsonObject) -> None:
    """What a cluster with nothing running shows."""
    assert reports.status_of_nobody(key, {"metadata": {"generation": 4}, "spec": spec}) == expected
