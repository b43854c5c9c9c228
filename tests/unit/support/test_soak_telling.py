"""A snapshot of both sides is judged as they are; a soak's logs become records of who asked for what."""

from __future__ import annotations

import copy

import orjson
import pytest

from fairlead_api import JsonObject
from fairlead_api.names import Locator, downstream_namespace
from fairlead_control_plane.kinds.encoding import encode
from fairlead_control_plane.store.contract import Row
from tests.soak.tap import Seen
from tests.soak.telling import Asking, _asked, _tell_plane, snapshot
from tests.support.checking.checker import check
from tests.support.checking.history import Asked, Target, Written
from tests.support.checking.recorder import LOCATOR, UPSTREAM_UID, Recorder

LOCATED = Locator("root", "east", "uid-east", "team", "shop")
HOME = downstream_namespace(LOCATED)
TARGETS = {name: Target(0, f"uid-{name}", "root", name) for name in ("east", "west")}
ABOVE: JsonObject = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {
        "name": "web", "namespace": "shop", "uid": "u-web", "annotations": {"kcp.io/cluster": "team"},
    },
    "data": {"colour": "green"},
}  # fmt: skip
ASSIGNMENT: JsonObject = {
    "apiVersion": "scheduling.fairlead.io/v1alpha1",
    "kind": "Assignment",
    "metadata": {"name": "shop", "uid": "a", "annotations": {"kcp.io/cluster": "team"}},
    "spec": {"namespaceUID": "u-shop", "targets": [{"uid": "uid-east", "state": "Sync"}]},
}
NAMESPACE: JsonObject = {"metadata": {"name": HOME, "uid": "d-shop", "annotations": {LOCATOR: LOCATED.to_json()}}}
BELOW: JsonObject = {
    "metadata": {"name": "web", "namespace": HOME, "uid": "d-web", "annotations": {UPSTREAM_UID: "u-web"}},
    "data": {"colour": "green"},
}
MAP_KEY = "/core/configmaps/-/team/shop/web"
ROWS = [
    Row(MAP_KEY, encode(ABOVE), 5, 5),
    Row("/scheduling.fairlead.io/assignments/-/team/-/shop", encode(ASSIGNMENT), 6, 6),
    Row("/views/uid-east/core/configmaps/-/team/shop/web", orjson.dumps({"uid": "u-web", "state": "Sync"}), 7, 7),
]


def judged(rows: list[Row], *copies: JsonObject, where: str = "east") -> list[str]:
    """Return what is wrong with these rows above and copies in one cluster."""
    there = {"namespaces": [NAMESPACE], "configmaps": [copy.deepcopy(one) for one in copies]}
    return [str(one) for one in check(snapshot(TARGETS, rows, {where: there}))]


def test_sides_that_agree() -> None:
    """What is wanted is there, once, as it was written."""
    assert judged(ROWS, BELOW) == []


@pytest.mark.parametrize(
    ("rows", "copies", "says"),
    [
        (ROWS, [], "is not on uid-east"),
        (ROWS, [{**BELOW, "data": {"colour": "red"}}], "is not what its user wrote"),
        (ROWS[1:], [BELOW], "is left on uid-east"),
        ([ROWS[0]], [BELOW], "is left on uid-east"),
    ],
    ids=["lost", "other", "deleted above", "not assigned"],
)
def test_sides_that_do_not(rows: list[Row], copies: list[JsonObject], says: str) -> None:
    """What is missing, is another, or stays for nobody is named."""
    assert any(says in one for one in judged(rows, *copies)), judged(rows, *copies)


def test_what_agents_ask_before_they_delete() -> None:
    """The place is that of the object, or of the namespace, in the logical cluster the path names."""
    base = "/services/syncer/root/east/uid-east/clusters/team/api/v1/namespaces/shop"
    agent = "system:fairlead:syncer:uid-east"
    one = Asking(3.0, agent, "DELETE", f"{base}/configmaps/web?dryRun=All&uid=u", 200)
    assert _asked(one) == Asked(3.0, "uid-east", "team", "shop", "web")
    assert _asked(Asking(3.0, agent, "DELETE", f"{base}?dryRun=All", 200)) == Asked(3.0, "uid-east", "team", "", "shop")


def test_a_status_is_its_agents() -> None:
    """A status that is written together with a row is what that target's agent reported; all else is others'."""
    reported = {**ABOVE, "status": {"ready": 1}}
    edited = {**reported, "data": {"colour": "blue"}}
    row = Row("/views/uid-east/core/configmaps/-/team/shop/web", b'{"uid": "u-web", "state": "Sync"}', 7, 7)
    recorder = Recorder()
    _tell_plane(
        recorder,
        [
            Seen(1, 5, MAP_KEY, Row(MAP_KEY, encode(ABOVE), 5, 5)),
            Seen(2, 7, MAP_KEY, Row(MAP_KEY, encode(reported), 5, 7)),
            Seen(2, 7, row.key, row),
            Seen(3, 8, MAP_KEY, Row(MAP_KEY, encode(edited), 5, 8)),
            Seen(4, 9, MAP_KEY, None),
        ],
    )
    told = [(one.verb, one.actor) for one in recorder.records if isinstance(one, Written)]
    assert told == [("create", "user"), ("update", "agent:uid-east"), ("update", "user"), ("delete", "user")]
