"""Audit logs and watches become the history that the checker reads."""

from __future__ import annotations

from fairlead_api import JsonObject
from fairlead_api.names import Locator, downstream_namespace
from tests.support.checking.audit import AuditLog, Workspace
from tests.support.checking.history import Assigned, Owner, Reported, Written
from tests.support.checking.recorder import LOCATOR, UPSTREAM_UID, Recorder

LOCATED = Locator("infra", "east", "uid-east", "team", "shop")
HOME = downstream_namespace(LOCATED)
NAMESPACE: JsonObject = {
    "metadata": {"name": HOME, "uid": "d-shop", "annotations": {LOCATOR: LOCATED.to_json()}},
}


def event(verb: str, user: str, resource: str, obj: JsonObject, *, code: int = 200, **more: object) -> JsonObject:
    """Return an audit event whose answer is an object."""
    metadata = obj["metadata"]
    return {
        "stage": "ResponseComplete",
        "verb": verb,
        "user": {"username": user},
        "stageTimestamp": "2026-11-21T10:00:00.500000Z",
        "requestURI": "/api",
        "responseStatus": {"code": code},
        "objectRef": {"resource": resource, "namespace": metadata.get("namespace", ""), "name": metadata["name"]},
        "responseObject": obj,
        **more,
    }


def config_map(**more: object) -> JsonObject:
    """Return a ConfigMap of ours in the downstream namespace."""
    marks = {UPSTREAM_UID: "u-web"}
    return {"metadata": {"name": "web", "namespace": HOME, "uid": "d-web", "annotations": marks}, "data": {}, **more}


def written(events: list[JsonObject]) -> list[Written]:
    """Return the writes of an audit log that begins with the namespace."""
    recorder = Recorder()
    log = AuditLog(recorder, "uid-east", {"agent": "agent:uid-east"})
    log.begin("namespaces", [NAMESPACE])
    for one in events:
        log.take(one)
    return [record for record in recorder.records if isinstance(record, Written)]


def test_writes_are_told_with_owner_and_actor() -> None:
    """What an agent makes carries whom it stands for; a patch of what is there is an update."""
    made, updated = written(
        [
            event("create", "agent", "configmaps", config_map(), code=201),
            event("patch", "agent", "configmaps", config_map(data={"a": "b"})),
        ]
    )
    assert (made.verb, made.actor, made.owner) == ("create", "agent:uid-east", Owner("team", "shop", "web", "u-web"))
    assert (updated.verb, updated.changed) == ("update", ("data",))
    assert made.content != updated.content


def test_a_deletion_is_of_what_was_there() -> None:
    """The answer to a DELETE is a mere Status; what was deleted is known from before."""
    status = {"metadata": {"name": "web", "namespace": HOME}, "status": "Success"}
    *_, gone = written(
        [event("create", "agent", "configmaps", config_map()), event("delete", "system:gc", "configmaps", status)]
    )
    assert (gone.verb, gone.actor, gone.uid) == ("delete", "system", "d-web")


def test_a_deleted_collection_is_all_that_was_there() -> None:
    """The namespace controller deletes by kind."""
    nothing: JsonObject = {"metadata": {"name": "", "namespace": HOME}}
    *_, gone = written(
        [
            event("create", "agent", "configmaps", config_map()),
            event("deletecollection", "system:serviceaccount:kube-system:namespace-controller", "configmaps", nothing),
        ]
    )
    assert (gone.verb, gone.name) == ("delete", "web")


def test_what_failed_is_no_write() -> None:
    """Refusals, dry runs and reads change nothing."""
    assert not written(
        [
            event("create", "agent", "configmaps", config_map(), code=409),
            event("create", "agent", "configmaps", config_map(), requestURI="/api?dryRun=All"),
            event("get", "agent", "configmaps", config_map()),
        ]
    )


def test_the_workspace_is_told_by_watches_and_rows() -> None:
    """Assignments are records of their own; rows tell what a target has seen."""
    recorder = Recorder()
    workspace = Workspace(recorder)
    mark = {"annotations": {"kcp.io/cluster": "team"}}
    made: JsonObject = {"metadata": {"name": "web", "namespace": "shop", "uid": "u-web", **mark}}
    spec = {"namespaceUID": "u-shop", "targets": [{"uid": "uid-east", "state": "Sync"}]}
    assignment: JsonObject = {"metadata": {"name": "shop", "uid": "a", **mark}, "spec": spec}
    workspace.take(1, "configmaps", "ADDED", made)
    workspace.take(2, "assignments.scheduling.fairlead.io", "ADDED", assignment)
    workspace.take(3, "configmaps", "DELETED", made)
    recorder.row(4, "/views/uid-east/apps/deployments/-/team/shop/web", {"state": "Sync", "uid": "u", "observed": 3})
    first, second, third, fourth = recorder.records
    assert isinstance(first, Written)
    assert (first.verb, first.cluster) == ("create", "team")
    assert second == Assigned(2, 0, "team", "shop", "u-shop", {"uid-east": "Sync"})
    assert isinstance(third, Written)
    assert third.verb == "delete"
    assert fourth == Reported(4, "uid-east", "deployments.apps", "team", "shop", "web", "u", 3)


def test_what_a_crash_left_untold_is_made_up_for() -> None:
    """A killed server may have made, changed and deleted objects without a line in its log."""
    recorder = Recorder()
    log = AuditLog(recorder, "uid-east", {"agent": "agent:uid-east"})
    log.begin("namespaces", [NAMESPACE])
    names = ("changed", "gone", "kept", "later")
    for number, name in enumerate(names, 1):
        obj = config_map()
        obj["metadata"] |= {"name": name, "uid": name, "resourceVersion": str(number if name != "later" else 90)}
        log.take(event("create", "agent", "configmaps", obj, code=201))
    began = len(recorder.records)
    changed, kept, made = (config_map(), config_map(), config_map())
    changed["metadata"] |= {"name": "changed", "uid": "changed", "resourceVersion": "20"}
    kept["metadata"] |= {"name": "kept", "uid": "kept", "resourceVersion": "3"}
    made["metadata"] |= {"name": "made", "uid": "made", "resourceVersion": "30"}
    log.catch_up(7.0, "configmaps", [changed, kept, made], revision=50)
    told = [(one.verb, one.name, one.actor) for one in recorder.records[began:] if isinstance(one, Written)]
    assert told == [("delete", "gone", "system"), ("update", "changed", "system"), ("create", "made", "system")]


def _named(uid: str) -> JsonObject:
    obj = config_map()
    return {**obj, "metadata": {**obj["metadata"], "uid": uid}}


def test_a_deletion_is_its_askers_though_it_is_told_late() -> None:
    """The answer to a DELETE may come after that to the CREATE of the next object; it names the one it is about."""
    late = {"metadata": {"name": "web", "namespace": HOME}, "details": {"uid": "first"}}
    told = written(
        [
            event("create", "agent", "configmaps", _named("first"), code=201),
            event("create", "agent", "configmaps", _named("second"), code=201),
            event("delete", "kubernetes-admin", "configmaps", late),
            event("delete", "agent", "configmaps", {**late, "details": {"uid": "second"}}),
        ]
    )
    assert [(one.verb, one.actor, one.uid) for one in told] == [
        ("create", "agent:uid-east", "first"),
        ("create", "agent:uid-east", "second"),
        ("delete", "user", "first"),
        ("delete", "agent:uid-east", "second"),
    ]


def test_a_namespace_that_is_made_again_was_deleted_once() -> None:
    """Between the request and the end its controller writes it; that it is made again deletes nothing."""
    going = {**NAMESPACE, "metadata": {**NAMESPACE["metadata"], "deletionTimestamp": "2026-11-21T10:00:00Z"}}
    again = {**NAMESPACE, "metadata": {**NAMESPACE["metadata"], "uid": "d-shop-2"}}
    told = written(
        [
            event("delete", "agent", "namespaces", going),
            event("update", "system:namespaces", "namespaces", going),
            event("create", "agent", "namespaces", again, code=201),
        ]
    )
    assert [(one.verb, one.uid) for one in told] == [("delete", "d-shop"), ("create", "d-shop-2")]
