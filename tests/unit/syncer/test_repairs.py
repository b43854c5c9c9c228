"""
Drift is mended, the cluster's own doing is let be, and nobody is fought in a hot loop.

Aspects: admission that rewrites; an edit after it; somebody who keeps undoing; another object of the name.
"""

from typing import Any

from fairlead_syncer.repairs import Repairs
from fairlead_syncer.target import Key

KEY = Key("apps", "deployments", "c", "default", "web")


def wanted(image: str = "web:1") -> dict[str, Any]:
    return {"metadata": {"name": "web", "labels": {"a": "b"}, "annotations": {}}, "spec": {"image": image}}


def found(image: str, uid: str = "d1", **more: Any) -> dict[str, Any]:
    return {"metadata": {"uid": uid, "labels": {"a": "b"}}, "spec": {"image": image, "defaulted": True}, **more}


def test_what_admission_made_of_an_apply_is_let_be() -> None:
    """A webhook that rewrites the image is not answered with another apply, whatever else happens to the object."""
    repairs = Repairs()
    assert repairs.wait_s(KEY, wanted(), found("mirror/web:1"), 0.0) == 0.0
    repairs.applied(KEY, wanted(), found("mirror/web:1"), 0.0)
    assert repairs.wait_s(KEY, wanted(), found("mirror/web:1", status={"replicas": 3}), 1.0) is None


def test_a_later_edit_is_mended_at_once() -> None:
    """Also one that moves no generation, such as a label."""
    repairs = Repairs()
    repairs.applied(KEY, wanted(), found("mirror/web:1"), 0.0)
    edited = found("mirror/web:1")
    edited["metadata"]["labels"] = {"a": "edited"}
    assert repairs.wait_s(KEY, wanted(), edited, 0.1) == 0.0


def test_a_change_upstream_never_waits() -> None:
    """However often drift was mended before."""
    repairs = Repairs()
    for second in range(5):
        repairs.applied(KEY, wanted(), found("web:1"), float(second))
    assert repairs.wait_s(KEY, wanted("web:2"), found("web:1"), 4.1) == 0.0


def test_who_keeps_undoing_is_answered_ever_more_slowly() -> None:
    """Pauses double, stay under five minutes, and are forgotten after a calm time."""
    repairs = Repairs()
    now_s, pauses = 0.0, []
    repairs.applied(KEY, wanted(), found("web:1"), now_s)
    for _ in range(12):
        pause_s = repairs.wait_s(KEY, wanted(), found("edited"), now_s)
        assert pause_s is not None
        pauses.append(pause_s)
        now_s += pause_s
        repairs.applied(KEY, wanted(), found("web:1"), now_s)
    assert pauses[:4] == [0.0, 1.0, 2.0, 4.0]
    assert max(pauses) == 300.0
    assert repairs.wait_s(KEY, wanted(), found("edited"), now_s + 600.0) == 0.0


def test_another_object_of_the_name_starts_anew() -> None:
    """What is remembered belongs to one uid."""
    repairs = Repairs()
    repairs.applied(KEY, wanted(), found("mirror/web:1"), 0.0)
    assert repairs.wait_s(KEY, wanted(), found("mirror/web:1", uid="d2"), 1.0) == 0.0
