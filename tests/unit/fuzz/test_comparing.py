"""The comparer finds every planted difference, and none where only chance differs."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_api import JsonObject
from tests.fuzz.asked import Edit, Request, edited, pointer_of
from tests.fuzz.comparing import differences
from tests.fuzz.kinds import Schemas
from tests.fuzz.sides import Answer

WORD = "fz00000001"
GET = Request("get", "apps/v1/deployments", "GET", "/apis/apps/v1/namespaces/${ns}/deployments/a", slot="a")
OBJECT: JsonObject = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {
        "name": "a",
        "namespace": WORD,
        "uid": "0c2a3d2e-1111-4222-8333-0123456789ab",
        "resourceVersion": "17",
        "creationTimestamp": "2026-01-02T03:04:05Z",
        "generation": 1,
        "labels": {"fuzz": WORD, "slot": "a"},
        "managedFields": [
            {
                "manager": "alpha",
                "operation": "Update",
                "apiVersion": "apps/v1",
                "time": "2026-01-02T03:04:05Z",
                "fieldsType": "FieldsV1",
                "fieldsV1": {"f:spec": {"f:replicas": {}}},
            }
        ],
    },
    "spec": {"replicas": 1, "paused": False, "template": {"spec": {"containers": [{"name": "web", "image": "web"}]}}},
}
REFUSAL: JsonObject = {
    "kind": "Status",
    "apiVersion": "v1",
    "metadata": {},
    "status": "Failure",
    "message": 'Deployment.apps "a" is invalid: [spec.a[0].b: Required value, spec.c: Invalid value: 1: no]',
    "reason": "Invalid",
    "details": {
        "name": "a",
        "group": "apps",
        "kind": "Deployment",
        "causes": [
            {"reason": "FieldValueRequired", "message": "Required value", "field": "spec.a[0].b"},
            {"reason": "FieldValueInvalid", "message": "Invalid value: 1: no", "field": "spec.c"},
        ],
    },
    "code": 422,
}
CHANCE = {"uid", "resourceVersion", "creationTimestamp", "time"}


def _answer(body: Any, code: int = 200, *warnings: str) -> Answer:
    return Answer(code, "application/json", warnings, json.dumps(body).encode())


def _found(ours: Answer, theirs: Answer, request: Request = GET) -> list[str]:
    return [f"{each.what} {each.where}" for each in differences(request, ours, theirs, WORD)]


def _places(body: JsonObject) -> list[tuple[str | int, ...]]:
    return [place.at for place in Schemas({}).walk(body, {})]


@given(st.sampled_from(_places(OBJECT)), st.sampled_from(("cut", "set")))
def test_one_field_that_differs_is_found(at: tuple[str | int, ...], how: str) -> None:
    """Any field of an object, missing or other; what chance decides only when it is missing."""
    edit = Edit("cut", pointer_of(at)) if how == "cut" else Edit("set", pointer_of(at), {"planted": 1})
    assert _found(_answer(edited(OBJECT, (edit,))), _answer(OBJECT))


@given(st.sampled_from([at for at in _places(REFUSAL) if at[0] != "code"]))
def test_one_member_of_a_refusal_that_is_missing_is_found(at: tuple[str | int, ...]) -> None:
    """Message, reason, details and each cause."""
    assert _found(_answer(edited(REFUSAL, (Edit("cut", pointer_of(at)),)), 422), _answer(REFUSAL, 422))


def test_chance_is_no_difference() -> None:
    """Other uids, times, revisions and names of sequences are the same answer."""
    other = copy.deepcopy(OBJECT)
    other["metadata"] |= {
        "uid": "ffffffff-1111-4222-8333-0123456789ab",
        "resourceVersion": "18",
        "creationTimestamp": "2026-01-02T03:04:06Z",
    }
    other["metadata"]["managedFields"][0]["time"] = "2026-01-02T03:04:06Z"
    assert _found(_answer(other), _answer(OBJECT)) == []
    causes = copy.deepcopy(REFUSAL)
    causes["details"]["causes"].reverse()
    causes["message"] = 'Deployment.apps "a" is invalid: [spec.c: Invalid value: 1: no, spec.a[0].b: Required value]'
    assert _found(_answer(causes, 422), _answer(REFUSAL, 422)) == []


def test_where_says_what_differs_and_how() -> None:
    """Indexes are left out; a member of an item of a list is that of the object."""
    ours = edited(OBJECT, (Edit("cut", "/spec/template/spec/containers/0/image"),))
    where = "object spec.template.spec.containers[].image missing"
    assert _found(_answer(ours), _answer(OBJECT)) == [where]
    lists = [{"kind": "DeploymentList", "items": [OBJECT, each]} for each in (ours, OBJECT)]
    assert _found(_answer(lists[0]), _answer(lists[1])) == [where]


@pytest.mark.parametrize(
    ("ours", "theirs", "found"),
    [
        (_answer(OBJECT), _answer(REFUSAL, 422), "code theirs Invalid spec.a[].b FieldValueRequired"),
        (_answer(OBJECT), _answer(OBJECT, 200, '299 - "old"'), "warning missing old"),
        (_answer(OBJECT), Answer(200, "text/plain", (), b"x"), "type application/json | text/plain"),
    ],
)
def test_codes_warnings_and_types(ours: Answer, theirs: Answer, found: str) -> None:
    """Each is a difference of its own; where codes differ nothing else is looked at."""
    assert _found(ours, theirs)[0] == found


def test_events_of_a_watch() -> None:
    """In order; a missing one is told as such, one that differs by its field."""
    watch = Request("watch", GET.kind, "GET", "/apis/apps/v1/deployments")
    added, changed = ({"type": kind, "object": OBJECT} for kind in ("ADDED", "MODIFIED"))
    other = {"type": "MODIFIED", "object": edited(OBJECT, (Edit("set", "/spec/replicas", 2),))}
    lines = [
        Answer(200, "application/json", (), b"\n".join(json.dumps(event).encode() for event in events))
        for events in ((added, changed), (added,), (added, other))
    ]
    assert _found(lines[0], lines[0], watch) == []
    assert _found(lines[1], lines[0], watch) == ["event ADDED | ADDED MODIFIED"]
    assert _found(lines[2], lines[0], watch) == ["object spec.replicas"]
