"""
Who has changed what in the cluster is read from managedFields; what to do about it is the user's choice.

Aspects: whose a difference is; the three choices; what is left is applied by nobody and changes nothing else.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_api import JsonObject
from fairlead_syncer.drift import LEAVE, POLICY, Drifts, Policy, policy_of, settle
from fairlead_syncer.plan import HASH, compared, holds
from fairlead_syncer.target import Key

KEY = Key("apps", "deployments", "c", "default", "web")


def desired(replicas: int = 2, image: str = "a:1") -> JsonObject:
    containers = [{"name": "c", "image": image}, {"name": "d", "image": "d:1"}]
    template = {"spec": {"containers": containers}}
    metadata = {"name": "web", "labels": {"app.io/tier": "gold"}, "annotations": {HASH: "h1"}}
    return {"kind": "Deployment", "metadata": metadata, "spec": {"replicas": replicas, "template": template}}


def owned(fields: JsonObject, manager: str, time: str = "2026-01-01T00:00:00Z") -> JsonObject:
    return {"manager": manager, "operation": "Update", "time": time, "fieldsV1": fields}


REPLICAS: JsonObject = {"f:spec": {"f:replicas": {}}}
IMAGE: JsonObject = {
    "f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"c"}': {".": {}, "f:image": {}}}}}}
}
LABEL: JsonObject = {"f:metadata": {"f:labels": {"f:app.io/tier": {}}}}


def actual(of: JsonObject, *entries: JsonObject, hash_: str = "h1") -> JsonObject:
    metadata = {**of["metadata"], "uid": "d1", "annotations": {HASH: hash_}, "managedFields": list(entries)}
    return {**of, "metadata": metadata}


def test_nothing_has_drifted() -> None:
    """What is as applied is handed back as it is."""
    wanted = desired()
    assert settle(wanted, actual(wanted), Policy()) == (wanted, [])


@pytest.mark.parametrize(
    ("changed", "fields", "path"),
    [
        (desired(replicas=5), REPLICAS, "spec.replicas"),
        (desired(image="b:1"), IMAGE, "spec.template.spec.containers[name=c].image"),
    ],
)
def test_whose_it_is(changed: JsonObject, fields: JsonObject, path: str) -> None:
    """The last other manager of that very field, by default put back."""
    entries = [owned(fields, "early"), owned(fields, "late", "2026-01-02T00:00:00Z"), owned({}, "none")]
    wanted, [drift] = settle(desired(), actual(changed, *entries), Policy())
    assert wanted == desired()
    assert (drift.path, drift.manager, drift.since, drift.left) == (path, "late", "2026-01-02T00:00:00Z", False)


def test_a_label_and_one_that_was_taken_away() -> None:
    """A field that is gone has no owner; it has drifted if nothing changed upstream."""
    edited = desired()
    edited["metadata"]["labels"] = {"app.io/tier": "lead"}
    _, [drift] = settle(desired(), actual(edited, owned(LABEL, "kubectl-edit")), Policy())
    assert (drift.path, drift.manager) == ("metadata.labels[app.io/tier]", "kubectl-edit")
    edited["metadata"]["labels"] = {}
    _, [drift] = settle(desired(), actual(edited), Policy())
    assert drift.manager == "unknown"
    assert settle(desired(), actual(edited, hash_="h0"), Policy())[1] == []


def test_what_we_own_has_not_drifted() -> None:
    """It was changed upstream, or rewritten by admission."""
    changed = actual(desired(replicas=5), owned(REPLICAS, "syncer"), hash_="h0")
    assert settle(desired(), changed, Policy(accept=True)) == (desired(), [])


def test_accepted_and_left_to_its_manager() -> None:
    """The field is no longer applied; another manager, and another field, are put back."""
    changed = actual(desired(replicas=5, image="b:1"), owned(REPLICAS, "vpa"), owned(IMAGE, "kubectl-edit"))
    wanted, drifts = settle(desired(), changed, Policy(accept=True))
    assert [one.left for one in drifts] == [True, True]
    assert "replicas" not in wanted["spec"]
    assert wanted["spec"]["template"]["spec"]["containers"][0] == {"name": "c"}
    wanted, drifts = settle(desired(), changed, Policy(leave=(("vpa", "spec.replicas"), ("vpa", "spec.template"))))
    assert {one.path: one.left for one in drifts} == {
        "spec.replicas": True,
        "spec.template.spec.containers[name=c].image": False,
    }
    assert wanted["spec"]["template"] == desired()["spec"]["template"]


@given(
    replicas=st.integers(0, 9),
    image=st.sampled_from(["a:1", "b:1"]),
    tier=st.sampled_from(["gold", "lead"]),
    owners=st.lists(st.sampled_from(["syncer", "vpa", "kubectl-edit"]), min_size=3, max_size=3),
)
def test_what_is_left_needs_no_apply(replicas: int, image: str, tier: str, owners: list[str]) -> None:
    """Accepted, whatever others own is as wanted; and nothing that we own is ever given up."""
    changed = desired(replicas, image)
    changed["metadata"]["labels"] = {"app.io/tier": tier}
    entries = [owned(fields, owner) for fields, owner in zip((REPLICAS, IMAGE, LABEL), owners, strict=True)]
    there = actual(changed, *entries)
    before = desired()
    wanted, drifts = settle(before, there, Policy(accept=True))
    assert before == desired()
    assert all(one.left and one.manager != "syncer" for one in drifts)
    if "syncer" not in owners:
        assert holds(there, compared(wanted))
    given_up: dict[str, Any] = {"replicas": owners[0], "image": owners[1], "tier": owners[2]}
    if given_up["replicas"] == "syncer":
        assert wanted["spec"]["replicas"] == 2
    if given_up["tier"] == "syncer":
        assert wanted["metadata"]["labels"] == {"app.io/tier": "gold"}


def test_what_the_user_chose() -> None:
    """Annotations of their own object; what cannot be read counts for nothing."""
    marks = {POLICY: "accept", LEAVE: "vpa spec.replicas, spec.template ; hpa metadata.labels;;broken"}
    rules = (("vpa", "spec.replicas"), ("vpa", "spec.template"), ("hpa", "metadata.labels"))
    assert policy_of({"metadata": {"annotations": marks}}) == Policy(accept=True, leave=rules)
    assert policy_of({"metadata": {"annotations": {POLICY: "whatever"}}}) == Policy()


def test_it_is_told_once_and_taken_back() -> None:
    """No drift, no word; the end of one is told too."""
    drifts = Drifts()
    assert drifts.to_tell(KEY) == {}
    _, found = settle(desired(), actual(desired(replicas=5), owned(REPLICAS, "vpa")), Policy())
    drifts.note(KEY, found)
    assert drifts.is_news(KEY)
    told = drifts.to_tell(KEY)
    drifts.told(KEY, told)
    assert not drifts.is_news(KEY)
    drifts.note(KEY, [])
    assert drifts.to_tell(KEY) == {"drift": []}
    drifts.told(KEY, {"drift": []})
    assert drifts.to_tell(KEY) == {}
