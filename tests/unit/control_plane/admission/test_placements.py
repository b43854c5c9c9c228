"""
Who may send work where.

Aspects: the right to use Locations of another workspace; one text for all refusals; whose wish a Placement is;
selectors that mean nothing.
"""

from __future__ import annotations

import copy
import json

import pytest

from fairlead_api import JsonObject
from fairlead_api.errors import Forbidden, Invalid
from fairlead_api.request import SYSTEM, User
from fairlead_control_plane.admission.contract import Attributes
from fairlead_control_plane.admission.placements import REQUESTED_BY, PlacementAdmission
from fairlead_control_plane.kinds.own import own_resource

ALICE = User("alice", ("system:authenticated",), "u1", {"team": ("a", "b")})
PATHS = {"root:infra": "infra", "root:shop": "shop"}


async def resolve(path: str) -> str | None:
    return PATHS.get(path)


class Rights:
    """What RBAC would say: exactly the questions in ``granted``; all questions are kept."""

    def __init__(self, *granted: tuple[str, str, str, str, str]) -> None:
        self.granted = granted
        self.asked: list[tuple[str, str, str, str, str]] = []

    async def __call__(self, user: User, verb: str, cluster: str, group: str, resource: str, name: str) -> bool:
        assert name == ""
        self.asked.append((user.name, verb, cluster, group, resource))
        return self.asked[-1] in self.granted


USE = ("alice", "use", "infra", "scheduling.kcp.io", "locations")


def placement(path: str = "", **spec: object) -> JsonObject:
    return {"metadata": {"name": "p"}, "spec": {"locationWorkspace": path, **spec}}


async def write(
    rights: Rights, obj: JsonObject, old: JsonObject | None = None, *, user: User = ALICE, plural: str = "placements"
) -> JsonObject:
    plugin = PlacementAdmission(rights, resolve)
    made = copy.deepcopy(obj)
    operation = "CREATE" if old is None else "UPDATE"
    resource = own_resource("scheduling.kcp.io", plural)
    attributes = Attributes(operation, resource, "v1alpha1", "shop", "", "p", "", user, made, old)
    await plugin.admit(attributes)
    await plugin.validate(attributes)
    return made


async def test_the_right_is_asked_for_in_the_workspace_of_the_locations() -> None:
    """Verb use on locations there lets the Placement through."""
    rights = Rights(USE)
    await write(rights, placement("root:infra"))
    assert rights.asked == [USE]


async def test_own_locations_need_no_right() -> None:
    """Neither an empty path nor one that means the own workspace is asked about."""
    rights = Rights()
    await write(rights, placement())
    await write(rights, placement("root:shop"))
    assert rights.asked == []


@pytest.mark.parametrize("path", ["root:infra", "root:nowhere"])
async def test_one_text_for_missing_right_and_missing_workspace(path: str) -> None:
    """Nobody learns from a refusal which workspaces exist."""
    with pytest.raises(Forbidden) as refused:
        await write(Rights(), placement(path))
    expected = f'placements.scheduling.kcp.io "p" is forbidden: no permission to use Locations of workspace {path}'
    assert refused.value.message == expected


async def test_only_a_new_spec_needs_the_right_again() -> None:
    """A label may be changed by who lost the right; the spec may not."""
    old = placement("root:infra")
    await write(Rights(), {**old, "metadata": {"name": "p", "labels": {"a": "b"}}}, old)
    with pytest.raises(Forbidden):
        await write(Rights(), placement("root:infra", namespaceSelector={}), old)


async def test_whose_wish_it_is_is_noted() -> None:
    """The author of the spec stands in an annotation, and stays when another changes something else."""
    made = await write(Rights(USE), placement("root:infra"))
    noted = json.loads(made["metadata"]["annotations"][REQUESTED_BY])
    assert noted == {
        "name": "alice",
        "uid": "u1",
        "groups": ["system:authenticated"],
        "extra": {"team": ["a", "b"]},
    }
    labelled = {**made, "metadata": {**made["metadata"], "labels": {"a": "b"}}}
    again = await write(Rights(), labelled, made, user=User("bob"))
    assert again["metadata"]["annotations"] == made["metadata"]["annotations"]
    taken_over = await write(Rights(), placement("root:infra", namespaceSelector={}), made, user=SYSTEM)
    assert json.loads(taken_over["metadata"]["annotations"][REQUESTED_BY])["name"] == SYSTEM.name


async def test_selectors_must_mean_something() -> None:
    """Wrong operators and keys are told with their fields."""
    wrong = placement(
        locationSelectors=[{}, {"matchExpressions": [{"key": "a", "operator": "Near"}]}],
        namespaceSelector={"matchLabels": {"a b": "c"}},
    )
    with pytest.raises(Invalid) as refused:
        await write(Rights(), wrong)
    fields = [cause.field for cause in refused.value.causes]
    assert fields == ["spec.namespaceSelector.matchLabels", "spec.locationSelectors[1].matchExpressions[0].operator"]
    location = {
        "metadata": {"name": "l"},
        "spec": {"instanceSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}},
    }
    with pytest.raises(Invalid, match="must be specified when `operator` is 'In' or 'NotIn'"):
        await write(Rights(), location, plural="locations")
