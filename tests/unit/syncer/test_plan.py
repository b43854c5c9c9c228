"""
The syncer's promises, one object at a time.

Aspects: absence is never a cause; only what is proved ours is touched; a plan carried out comes to rest.
"""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fairlead_syncer.plan import (
    DOWNSTREAM_UID,
    GENERATION,
    HASH,
    REPLACES,
    Adopt,
    Adoption,
    Apply,
    Confirm,
    Create,
    Going,
    Nothing,
    Refuse,
    Remove,
    desired_object,
    may_delete_namespace,
    plan,
    report,
)
from fairlead_syncer.proofs import PROOF
from fairlead_transforms.downstream import UPSTREAM_UID
from tests.support.owned import created

MARK = "proof-of-u1"


def view(uid: str = "u1", recorded: str = "", value: str = "1", tombstone: str = "") -> dict[str, Any]:
    marks = {HASH: f"hash-{value}", **({DOWNSTREAM_UID: recorded} if recorded else {})}
    metadata: dict[str, Any] = {"name": "c", "uid": uid, "generation": 2, "annotations": marks}
    if tombstone:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        marks["internal.workload.kcp.io/cause"] = tombstone
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"k": value}}


def desired(of: dict[str, Any], proof: str = MARK) -> dict[str, Any]:
    uid = of["metadata"]["uid"]
    plain = {"metadata": {"name": "c", "annotations": {UPSTREAM_UID: uid}}, "data": of["data"]}
    return desired_object(of, plain, proof=proof)


def in_cluster(of: dict[str, Any], uid: str = "d1", **metadata: Any) -> dict[str, Any]:
    made = created(desired(of), uid)
    return {**made, "metadata": {**made["metadata"], "resourceVersion": "9", **metadata}}


def test_no_view_no_deed() -> None:
    """Unreachable, empty, forbidden, expired or half-read: without a view nothing happens."""
    assert plan(None, None, in_cluster(view()), proof=MARK) == Nothing()


def test_missing_is_made() -> None:
    """A live view without an object is created."""
    assert plan(view(), desired(view()), None, proof=MARK) == Create(desired(view()))


def test_same_is_left_alone() -> None:
    """What is as it must be costs no write."""
    assert plan(view(), desired(view()), in_cluster(view()), proof=MARK) == Nothing()


def test_server_defaults_are_no_difference() -> None:
    """Fields a server added do not count."""
    actual = {**in_cluster(view()), "data": {"k": "1", "added": "by the server"}, "immutable": False}
    assert plan(view(), desired(view()), actual, proof=MARK) == Nothing()


def test_change_and_drift_are_applied_with_the_owned_uid() -> None:
    """An edit upstream, and one made in the cluster, are both mended, on our own object only."""
    for new, actual in (
        (view(value="2"), in_cluster(view())),
        (view(), {**in_cluster(view()), "data": {"k": "edited"}}),
    ):
        action = plan(new, desired(new), actual, proof=MARK)
        assert isinstance(action, Apply)
        assert action.obj["metadata"]["uid"] == "d1"


def test_foreign_object_of_that_name_is_refused_and_kept() -> None:
    """Neither adopted, nor applied over, nor, when the view goes, deleted."""
    foreign = {"metadata": {"name": "c", "uid": "x", "resourceVersion": "1"}, "data": {}}
    assert isinstance(plan(view(), desired(view()), foreign, proof=MARK), Refuse)
    assert plan(view(tombstone="Deleted"), None, foreign, proof=MARK) == Confirm("u1")


def test_forged_marks_do_not_make_it_ours() -> None:
    """Our label and uid annotations can be copied; the proof for this name cannot be made by another."""
    forged = in_cluster(view())
    forged["metadata"]["annotations"] = {UPSTREAM_UID: "u1", HASH: "hash-1", PROOF: "copied-from-another-name"}
    assert isinstance(plan(view(), desired(view()), forged, proof=MARK), Refuse)
    assert plan(view(tombstone="Deleted"), None, forged, proof=MARK) == Confirm("u1")


def test_recorded_uid_is_proof_enough() -> None:
    """After a new key the old proof is void, but the view remembers what we made."""
    actual = in_cluster(view())
    actual["metadata"]["annotations"][PROOF] = "of an older key"
    action = plan(view(recorded="d1", tombstone="Unassigned"), None, actual, proof=MARK)
    assert action == Remove("d1", "9", "Unassigned")


def test_removal_needs_a_cause() -> None:
    """A tombstone that names no cause deletes nothing."""
    causeless = view(tombstone="Deleted")
    del causeless["metadata"]["annotations"]["internal.workload.kcp.io/cause"]
    assert plan(causeless, None, in_cluster(view()), proof=MARK) == Nothing()


def test_a_new_object_under_an_old_name_replaces_it() -> None:
    """Deleted and made again upstream while we were away: the old one goes first, by uid."""
    again = view(uid="u2", recorded="d1")
    again["metadata"]["annotations"][REPLACES] = "u1"
    assert plan(again, desired(again, "proof-of-u2"), in_cluster(view()), proof="proof-of-u2") == Remove(
        "d1", "9", "Replaced"
    )


def test_an_edited_mark_makes_nothing_again() -> None:
    """Upstream knows of no other object of that name: whoever wrote another uid into ours has it put right."""
    of = view(recorded="d1")
    edited = in_cluster(of)
    edited["metadata"]["annotations"][UPSTREAM_UID] = "forged"
    action = plan(of, desired(of), edited, proof=MARK)
    assert isinstance(action, Apply)
    assert action.obj["metadata"]["annotations"][UPSTREAM_UID] == "u1"


def test_terminating_object_is_waited_for() -> None:
    """Its end is an event of its own; what keeps it is said."""
    going = in_cluster(view(), deletionTimestamp="now", namespace="home", finalizers=["a/x", "b/y"])
    kept = "'c' in namespace home of the cluster is being deleted and waits for finalizers [a/x, b/y]"
    assert plan(view(tombstone="Deleted"), None, going, proof=MARK) == Going(kept)
    again = f"{kept}; once it is gone it is made again, as it is to be by then"
    assert plan(view(), desired(view()), going, proof=MARK) == Going(again)


def test_a_foreign_object_that_is_going_stays_foreign() -> None:
    """Until it is gone its name is taken; handed over or not, nothing is applied over it."""
    going = in_cluster(view(), deletionTimestamp="now", annotations={})
    refused = plan(view(), desired(view()), going, proof=MARK)
    assert isinstance(refused, Refuse)
    assert refused.reason == "NameTaken"
    given = Adoption("home", "n", frozenset({"d1"}), restart=True)
    refused = plan(view(), desired(view()), going, proof=MARK, given=given)
    assert isinstance(refused, Refuse)
    assert refused.reason == "Terminating"


def test_report_is_read_from_the_object_alone() -> None:
    """A restarted agent says what the one before it said."""
    actual = {**in_cluster(view(), generation=4), "kind": "Deployment", "status": {"observedGeneration": 3}}
    assert report(actual) == {
        "appliedGeneration": 2,
        "appliedHash": "hash-1",
        "downstreamGeneration": 4,
        "observedGeneration": 3,
        "downstreamUID": "d1",
        "synced": True,
        "reason": "",
        "message": "",
    }
    assert actual["metadata"]["annotations"][GENERATION] == "2"


def test_namespace_goes_last_and_never_with_foreigners_in_it() -> None:
    """Only an empty namespace of ours may be deleted."""
    gone = view(tombstone="Unassigned")
    assert may_delete_namespace(view(), [], [], []) != ""
    assert may_delete_namespace(gone, [view()], [], []) != ""
    assert may_delete_namespace(gone, [], [gone], []) != ""
    assert "configmaps/theirs" in may_delete_namespace(gone, [], [], ["configmaps/theirs"])
    assert may_delete_namespace(gone, [], [], []) == ""


VALUES = st.sampled_from(["1", "2"])


@given(
    value=VALUES,
    recorded=st.sampled_from(["", "d1", "d2"]),
    tombstone=st.sampled_from(["", "Deleted", "Unassigned"]),
    present=st.booleans(),
    copier=st.sampled_from(["", "plain", "kubectl-create", "fairlead-syncer-too"]),
    old_value=VALUES,
)
def test_plans_come_to_rest_and_touch_only_ours(
    *, value: str, recorded: str, tombstone: str, present: bool, copier: str, old_value: str
) -> None:
    """Played against a model cluster, every plan ends, and what others made is never changed, whatever it bears."""
    wanted = view(recorded=recorded, value=value, tombstone=tombstone)
    actual: dict[str, Any] | None = in_cluster(view(value=old_value)) if present else None
    if actual is not None and copier == "plain":
        actual = {"metadata": {"name": "c", "uid": "foreign", "resourceVersion": "1"}, "data": {"k": old_value}}
    elif actual is not None and copier:
        actual = created(desired(view(value=old_value)), "foreign", copier)
    before = repr(actual)
    for _ in range(4):
        action = plan(wanted, None if tombstone else desired(wanted), actual, proof=MARK)
        if isinstance(action, Create | Apply):
            actual = created(action.obj, "d1")
        elif isinstance(action, Remove):
            assert actual is not None
            assert action.uid == actual["metadata"]["uid"]
            actual = None
    assert isinstance(action, Nothing | Refuse | Confirm)
    if present and copier:
        assert repr(actual) == before
    elif tombstone:
        assert actual is None
        assert isinstance(action, Confirm)
    else:
        assert actual is not None
        assert actual["data"] == {"k": value}


def test_an_apply_never_gives_a_newer_proof() -> None:
    """Else a copy of what was applied would pass for ours after its row has recorded a uid."""
    old = in_cluster(view())
    new = view(value="2", recorded="d1")
    action = plan(new, desired(new, proof="newer"), old, proof="newer")
    assert isinstance(action, Apply)
    assert action.obj["metadata"]["annotations"][PROOF] == MARK
    del old["metadata"]["annotations"][PROOF]
    action = plan(new, desired(new, proof="newer"), old, proof="newer")
    assert isinstance(action, Apply)
    assert PROOF not in action.obj["metadata"]["annotations"]


def test_drift_of_labels_and_annotations_counts() -> None:
    """They move no generation, and are the user's all the same."""
    wanted = view()
    made = desired(wanted)
    made["metadata"] |= {"labels": {"a": "b"}, "annotations": {**made["metadata"]["annotations"], "note": "x"}}
    actual = created(made, "d1")
    assert plan(wanted, made, actual, proof=MARK) == Nothing()
    for field in ("labels", "annotations"):
        values = {key: "edited" if key in {"a", "note"} else value for key, value in made["metadata"][field].items()}
        edited = {**actual, "metadata": {**actual["metadata"], field: values}}
        assert isinstance(plan(wanted, made, edited, proof=MARK), Apply), field


@given(uid=st.sampled_from(["d1", "d2"]), handed=st.sets(st.sampled_from(["d1", "d2"])), gone=st.booleans())
def test_only_what_was_handed_over_is_taken(uid: str, handed: set[str], gone: bool) -> None:
    """An object with another's proof is taken over by its uid alone, and never because it must go."""
    of = view(tombstone="Deleted" if gone else "")
    actual = in_cluster(view(uid="u0"), uid=uid, annotations={UPSTREAM_UID: "u0", PROOF: "another"})
    given_over = Adoption("kcp-x", "n1", frozenset(handed), restart=False)
    action = plan(of, None if gone else desired(of), actual, proof=MARK, given=given_over)
    if gone:
        assert action == Confirm("u1")
    elif uid in handed:
        assert isinstance(action, Adopt)
        assert action.obj["metadata"]["uid"] == uid
        assert not action.restart
    else:
        assert isinstance(action, Refuse)


def test_what_was_taken_over_is_ours() -> None:
    """Once reported it is like any other: made again upstream, it is replaced."""
    given_over = Adoption("kcp-x", "n1", frozenset({"d1"}), restart=False)
    again = view(uid="u2", recorded="d1")
    again["metadata"]["annotations"][REPLACES] = "u1"
    action = plan(again, desired(again), in_cluster(view()), proof="other", given=given_over)
    assert action == Remove("d1", "9", "Replaced")
