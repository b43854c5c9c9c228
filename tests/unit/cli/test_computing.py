"""Selectors and objects of ``bind compute``."""

from __future__ import annotations

import pytest

from fairlead_api import JsonObject
from fairlead_api.names import placement_default_name
from fairlead_cli.computing import ComputeRequest, binding, placement_problem, selector_object
from fairlead_cli.failure import Failure


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("", {}),
        ("a=b,c==d", {"matchLabels": {"a": "b", "c": "d"}}),
        (
            "a in (x,y),!b,c,d!=e",
            {
                "matchExpressions": [
                    {"key": "a", "operator": "In", "values": ["x", "y"]},
                    {"key": "b", "operator": "DoesNotExist"},
                    {"key": "c", "operator": "Exists"},
                    {"key": "d", "operator": "NotIn", "values": ["e"]},
                ]
            },
        ),
    ],
)
def test_selectors(text: str, body: JsonObject) -> None:
    """A text becomes one selector, whatever commas stand in it."""
    assert selector_object(text) == body


@pytest.mark.parametrize("text", ["a b", "a in", "a>1", "=x"])
def test_bad_selectors(text: str) -> None:
    """What cannot be a LabelSelector is refused as wrong usage."""
    with pytest.raises(Failure) as caught:
        selector_object(text)
    assert caught.value.exit_code == 2


def test_placement_is_named_and_made_as_kcp_does() -> None:
    """The Placement selects every namespace and Location unless told otherwise."""
    body = ComputeRequest("root:compute").placement()
    assert body["metadata"]["name"] == placement_default_name("", [""], "root:compute")
    assert body["spec"] == {
        "namespaceSelector": {},
        "locationSelectors": [{}],
        "locationResource": {"group": "workload.kcp.io", "version": "v1alpha1", "resource": "synctargets"},
        "locationWorkspace": "root:compute",
    }


def test_binding_name() -> None:
    """The APIBinding's name ends in the hash of the provider's path."""
    body = binding("root:compute", "kubernetes")
    assert body["spec"]["reference"]["export"] == {"path": "root:compute", "name": "kubernetes"}
    assert body["metadata"]["name"].startswith("kubernetes-")


def test_why_a_placement_is_not_ready() -> None:
    """Scheduled is asked first; its message is the reason."""
    conditions: list[JsonObject] = [{"type": "Scheduled", "status": "False", "message": "no clusters"}]
    body: JsonObject = {"status": {"conditions": conditions}}
    assert placement_problem(body) == "placement is not scheduled: no clusters"
    conditions[:] = [{"type": "Scheduled", "status": "True"}]
    assert placement_problem(body) == "placement is not ready"
    conditions.append({"type": "Ready", "status": "True"})
    assert placement_problem(body) == ""
