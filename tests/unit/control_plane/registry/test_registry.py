"""The registry as clients see it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fairlead_api.errors import Conflict, NotFound
from fairlead_api.request import User
from fairlead_control_plane.kinds import keys
from fairlead_control_plane.kinds.change import Change, Effect
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.registry import continuation
from fairlead_control_plane.store.contract import prefix_end
from tests.unit.control_plane.in_process import (
    APPLY,
    CONFIG_MAPS,
    MAPS,
    MERGE,
    NAMESPACES,
    Api,
    config_map,
    in_process,
    known,
    lines,
)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with in_process() as running:
        yield running


async def test_what_is_created_is_read_back(api: Api) -> None:
    """An object carries uid, timestamp, manager and its logical cluster, and a GET returns the same bytes."""
    created = await api.send("POST", MAPS, config_map("a"))
    read = await api.send("GET", f"{MAPS}/a")
    assert (created.code, read.code) == (201, 200)
    assert created.body == read.body
    metadata = json.loads(read.body)["metadata"]
    assert metadata["annotations"] == {"kcp.io/cluster": "root"}
    assert metadata["managedFields"][0]["manager"] == "test"
    assert metadata["uid"]
    assert metadata["creationTimestamp"]


async def test_create_twice_conflicts(api: Api) -> None:
    """The second create of a name is refused with AlreadyExists."""
    await api.ask("POST", MAPS, config_map("a"))
    answer = await api.ask("POST", MAPS, config_map("a"))
    assert answer["code"] == 409
    assert answer["message"] == 'configmaps "a" already exists'


async def test_missing_namespace(api: Api) -> None:
    """Nothing is created in a namespace that is not there."""
    answer = await api.ask("POST", "/api/v1/namespaces/x/configmaps", config_map("a"))
    assert (answer["code"], answer["message"]) == (404, 'namespaces "x" not found')


async def test_logical_clusters_do_not_meet(api: Api) -> None:
    """Equal names in neighbouring logical clusters are different objects, in get, list and delete."""
    for cluster in ("a", "a-b"):
        await api.add_namespace("default", cluster)
        await api.ask("POST", MAPS, config_map("m", labels={"in": cluster}), cluster=cluster)
    assert (await api.ask("DELETE", MAPS, cluster="a"))["kind"] == "ConfigMapList"
    assert (await api.ask("GET", f"{MAPS}/m", cluster="a"))["code"] == 404
    assert (await api.ask("GET", f"{MAPS}/m", cluster="a-b"))["metadata"]["labels"] == {"in": "a-b"}
    everywhere = await api.ask("GET", "/api/v1/configmaps", cluster="*")
    assert [item["metadata"]["annotations"]["kcp.io/cluster"] for item in everywhere["items"]] == ["a-b"]
    assert (await api.ask("GET", f"{MAPS}/m", cluster="*"))["code"] == 405


async def test_generate_name_makes_names(api: Api) -> None:
    """GenerateName gives five characters of Kubernetes' alphabet, another each time."""
    names = {(await api.ask("POST", MAPS, {"metadata": {"generateName": "g-"}}))["metadata"]["name"] for _ in range(5)}
    assert len(names) == 5
    assert all(name.startswith("g-") and len(name) == 7 for name in names)


async def test_update_needs_the_newest_version(api: Api) -> None:
    """A PUT with an old resourceVersion is refused; one without replaces what is there."""
    old = await api.ask("POST", MAPS, config_map("a"))
    new = await api.ask("PUT", f"{MAPS}/a", {**old, "data": {"a": "c"}})
    assert int(new["metadata"]["resourceVersion"]) > int(old["metadata"]["resourceVersion"])
    refused = await api.ask("PUT", f"{MAPS}/a", {**old, "data": {"a": "d"}})
    assert refused["message"] == (
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    assert (await api.send("PUT", f"{MAPS}/a", config_map("a"))).code == 200


async def test_an_update_that_changes_nothing_writes_nothing(api: Api) -> None:
    """The resourceVersion stays when the object does, whatever the order of its keys."""
    old = await api.ask("POST", MAPS, config_map("a"))
    same = await api.ask("PUT", f"{MAPS}/a", dict(reversed(old.items())))
    assert same["metadata"]["resourceVersion"] == old["metadata"]["resourceVersion"]


async def test_pages_show_one_snapshot(api: Api) -> None:
    """What is written between two pages does not show; the token fits no other collection."""
    for number in range(5):
        await api.ask("POST", MAPS, config_map(f"m{number}"))
    first = await api.ask("GET", MAPS, limit="2")
    assert first["metadata"]["remainingItemCount"] == 3
    await api.ask("DELETE", f"{MAPS}/m4")
    token = first["metadata"]["continue"]
    rest = await api.ask("GET", MAPS, **{"continue": token})
    assert [item["metadata"]["name"] for item in rest["items"]] == ["m2", "m3", "m4"]
    assert rest["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    elsewhere = await api.ask("GET", "/api/v1/namespaces/other/configmaps", **{"continue": token})
    assert elsewhere["code"] == 400


async def test_continue_after_compaction_offers_another_token(api: Api) -> None:
    """An expired token is answered with 410 and a token that goes on inconsistently."""
    for number in range(3):
        await api.ask("POST", MAPS, config_map(f"m{number}"))
    first = await api.ask("GET", MAPS, limit="1")
    await api.ask("POST", MAPS, config_map("m3"))
    await api.store.compact(api.store.revision)
    expired = await api.ask("GET", MAPS, **{"continue": first["metadata"]["continue"]})
    assert (expired["code"], expired["reason"]) == (410, "Expired")
    rest = await api.ask("GET", MAPS, **{"continue": expired["metadata"]["continue"]})
    assert [item["metadata"]["name"] for item in rest["items"]] == ["m1", "m2", "m3"]


async def test_a_token_never_leaves_its_prefix() -> None:
    """Whatever start a forged token names, it lies below the prefix it is used on."""
    token = continuation.encode("/core/configmaps/-/a/", continuation.Continuation("/core/configmaps/-/a/../b", 5))
    assert continuation.decode("/core/configmaps/-/a/", token).start.startswith("/core/configmaps/-/a/")


async def test_selectors_filter_and_page(api: Api) -> None:
    """Label and field selectors choose; a limit counts matches only."""
    for number in range(6):
        await api.ask("POST", MAPS, config_map(f"m{number}", labels={"odd": str(number % 2)}))
    page = await api.ask("GET", MAPS, labelSelector="odd=1", limit="2")
    assert [item["metadata"]["name"] for item in page["items"]] == ["m1", "m3"]
    one = await api.ask("GET", MAPS, fieldSelector="metadata.name=m4")
    assert [item["metadata"]["name"] for item in one["items"]] == ["m4"]


async def test_merge_patch_and_its_preconditions(api: Api) -> None:
    """A patch changes what it names; with a resourceVersion in it, only that version."""
    await api.ask("POST", MAPS, config_map("a"))
    patched = await api.ask("PATCH", f"{MAPS}/a", {"data": {"x": "y"}}, kind=MERGE)
    assert patched["data"] == {"a": "b", "x": "y"}
    refused = await api.ask("PATCH", f"{MAPS}/a", {"metadata": {"resourceVersion": "1"}}, kind=MERGE)
    assert (refused["code"], refused["reason"]) == (409, "Conflict")


async def test_apply_creates_conflicts_and_forces(api: Api) -> None:
    """Server-side apply creates; a second manager conflicts until it forces."""
    created = await api.send("PATCH", f"{MAPS}/a", config_map("a"), kind=APPLY, fieldManager="one")
    assert created.code == 201
    other = {**config_map("a"), "data": {"a": "z"}}
    refused = await api.ask("PATCH", f"{MAPS}/a", other, kind=APPLY, fieldManager="two")
    assert refused["code"] == 409
    assert 'conflict with "one"' in refused["message"]
    forced = await api.ask("PATCH", f"{MAPS}/a", other, kind=APPLY, fieldManager="two", force="true")
    assert forced["data"] == {"a": "z"}


async def test_dry_run_leaves_no_trace(api: Api) -> None:
    """dryRun=All goes all the way but the commit."""
    revision = api.store.revision
    assert (await api.send("POST", MAPS, config_map("a"), dryRun="All")).code == 201
    assert (await api.ask("GET", f"{MAPS}/a"))["code"] == 404
    assert api.store.revision == revision


async def test_strict_and_warn(api: Api) -> None:
    """Unknown and doubled fields are refused, warned of or let pass, as asked."""
    body = b'{"metadata":{"name":"a"},"foo":1,"data":{"k":"1","k":"2"}}'
    strict = await api.ask("POST", MAPS, body, fieldValidation="Strict")
    assert strict["message"] == (
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: '
        'unknown field "foo", duplicate field "data.k"'
    )
    warned = await api.send("POST", MAPS, body)
    assert (warned.code, warned.warnings) == (201, ['unknown field "foo"', 'duplicate field "data.k"'])


async def test_finalizers_hold_an_object(api: Api) -> None:
    """A delete marks what a finalizer holds; dropping the last finalizer removes it."""
    await api.ask("POST", MAPS, config_map("a", finalizers=["example.com/x"]))
    marked = await api.ask("DELETE", f"{MAPS}/a")
    assert marked["metadata"]["deletionTimestamp"]
    more = await api.ask("PATCH", f"{MAPS}/a", {"metadata": {"finalizers": ["a.b/c", "example.com/x"]}}, kind=MERGE)
    assert more["code"] == 422
    await api.ask("PATCH", f"{MAPS}/a", {"metadata": {"finalizers": None}}, kind=MERGE)
    assert (await api.ask("GET", f"{MAPS}/a"))["code"] == 404


async def test_delete_preconditions(api: Api) -> None:
    """A delete with another uid or version does nothing."""
    made = await api.ask("POST", MAPS, config_map("a"))
    wrong = await api.ask("DELETE", f"{MAPS}/a", {"preconditions": {"uid": "other"}})
    assert wrong["code"] == 409
    assert made["metadata"]["uid"] in wrong["message"]
    right = await api.ask("DELETE", f"{MAPS}/a", {"preconditions": {"uid": made["metadata"]["uid"]}})
    assert right["status"] == "Success"


async def test_status_and_scale(api: Api) -> None:
    """Each subresource changes its part alone; scale bumps the generation."""
    path = "/apis/apps/v1/namespaces/default/deployments"
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": template}
    await api.ask("POST", path, {"metadata": {"name": "d"}, "spec": spec})
    changed = await api.ask(
        "PATCH", f"{path}/d/status", {"status": {"replicas": 7}, "spec": {"replicas": 9}}, kind=MERGE
    )
    assert (changed["spec"]["replicas"], changed["status"]["replicas"]) == (1, 7)
    scale = await api.ask("PATCH", f"{path}/d/scale", {"spec": {"replicas": 4}}, kind=MERGE)
    assert (scale["spec"]["replicas"], scale["status"]) == (4, {"replicas": 7, "selector": "a=b"})
    deployment = await api.ask("GET", f"{path}/d")
    assert (deployment["spec"]["replicas"], deployment["metadata"]["generation"]) == (4, 2)


async def test_tables_and_partial_metadata(api: Api) -> None:
    """The Accept header chooses the form; what cannot be served is 406."""
    await api.ask("POST", MAPS, config_map("a"))
    table = await api.ask("GET", MAPS, accept="application/json;as=Table;v=v1;g=meta.k8s.io")
    assert [row["cells"][:2] for row in table["rows"]] == [["a", 1]]
    partial = await api.ask("GET", f"{MAPS}/a", accept="application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io")
    assert set(partial) == {"kind", "apiVersion", "metadata"}
    assert (await api.ask("GET", MAPS, accept="text/html"))["code"] == 406


async def test_versions_of_the_future(api: Api) -> None:
    """A resourceVersion that has not happened is answered with 504 and a retry."""
    answer = await api.send("GET", MAPS, resourceVersion="999999")
    assert (answer.code, answer.headers["Retry-After"]) == (504, "1")
    assert json.loads(answer.body)["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


async def test_reserved_metadata(api: Api) -> None:
    """A user may not set the system's labels, but may send back what is there."""
    user = User("alice")
    label = {"state.workload.kcp.io/abc": "Sync"}
    refused = await api.ask("POST", MAPS, config_map("a", labels=label), user=user)
    assert refused["code"] == 403
    made = await api.ask("POST", MAPS, config_map("a", labels=label))
    assert (await api.send("PUT", f"{MAPS}/a", {**made, "data": {"z": "1"}}, user=user)).code == 200
    stolen = await api.ask("PATCH", f"{MAPS}/a", {"metadata": {"labels": None}}, kind=MERGE, user=user)
    assert stolen["code"] == 403


async def test_owner_index_follows_references(api: Api) -> None:
    """The rows of the owner index are those of the objects' references, at each moment."""
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "u1"}
    await api.ask("POST", MAPS, config_map("a", ownerReferences=[reference]))
    prefix = "/owners/root/u1/"
    assert (await api.store.count(prefix, prefix_end(prefix))) == 1
    await api.ask("PATCH", f"{MAPS}/a", {"metadata": {"ownerReferences": None}}, kind=MERGE)
    assert (await api.store.count(prefix, prefix_end(prefix))) == 0


async def test_a_terminating_namespace_takes_nothing_new(api: Api) -> None:
    """Nothing is created in a namespace that is going, also when admission saw it before."""
    await api.ask("DELETE", "/api/v1/namespaces/default", user=User("x"))
    await api.add_namespace("n")
    await api.ask("DELETE", "/api/v1/namespaces/n")
    refused = await api.ask("POST", "/api/v1/namespaces/n/configmaps", config_map("a"))
    assert refused["message"] == (
        'configmaps "a" is forbidden: unable to create new content in namespace n because it is being terminated'
    )
    assert (await api.ask("DELETE", "/api/v1/namespaces/default"))["code"] == 403


async def test_in_process_methods(api: Api) -> None:
    """Controllers read, change with retry and delete by uid through the same code."""
    registry = api.registry
    made = await registry.create(CONFIG_MAPS, "root", config_map("a", namespace="default"))
    changed = await registry.modify(CONFIG_MAPS, "root", "default", "a", lambda obj: {**obj, "data": {"n": "1"}})
    assert changed["data"] == {"n": "1"}
    with pytest.raises(Conflict):
        await registry.delete(CONFIG_MAPS, "root", "default", "a", uid="other")
    assert await registry.delete(CONFIG_MAPS, "root", "default", "a", uid=made["metadata"]["uid"]) is None
    with pytest.raises(NotFound):
        await registry.get(CONFIG_MAPS, "root", "default", "a")
    assert (await registry.list(NAMESPACES))[0][0]["metadata"]["name"] == "default"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"x"', b"[" * 5000 + b"]" * 5000, b'{"a":' * 300 + b"1" + b"}" * 300]
)
async def test_malformed_bodies_are_bad_requests(api: Api, body: bytes) -> None:
    """Whatever cannot be an object is answered with 400, never with a failure of ours."""
    assert (await api.ask("POST", MAPS, body))["code"] == 400


async def test_yaml_is_json_in_other_letters(api: Api) -> None:
    """Numbers as keys become text; what JSON cannot say, and what multiplies, is refused."""
    good = b"metadata: {name: a}\ndata:\n  1: x\n"
    assert (await api.ask("POST", MAPS, good, kind="application/yaml"))["data"] == {"1": "x"}
    for bad in (
        b"metadata: {name: b}\ndata: &x {a: *x}",
        b"metadata: {name: !!binary aGk=}",
        b"a: [",
        b"? {a: b}\n: c",
    ):
        assert (await api.ask("POST", MAPS, bad, kind="application/yaml"))["code"] == 400


async def test_oversized_body(api: Api) -> None:
    """A body over three MiB is refused as such."""
    answer = await api.ask("POST", MAPS, b" " * ((3 << 20) + 1))
    assert (answer["code"], answer["message"]) == (413, "Request entity too large: limit is 3145728")


async def test_watch_with_initial_events(api: Api) -> None:
    """The state comes first, then a bookmark that says so, then what changes."""
    await api.ask("POST", MAPS, config_map("a"))
    response = await api.send(
        "GET",
        MAPS,
        watch="1",
        sendInitialEvents="true",
        resourceVersionMatch="NotOlderThan",
        allowWatchBookmarks="true",
    )
    assert response.stream is not None
    stream = response.stream
    first = lines(await anext(stream))
    assert [event["type"] for event in first] == ["ADDED", "BOOKMARK"]
    assert first[1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    await api.ask("POST", MAPS, config_map("b"))
    assert [event["object"]["metadata"]["name"] for event in lines(await anext(stream))] == ["b"]
    await stream.aclose()  # type: ignore[attr-defined]  # a generator, as the listener closes it


async def test_watch_from_a_compacted_version(api: Api) -> None:
    """A start before the last compaction is answered in the stream, with 410."""
    old = api.store.revision
    for number in range(3):
        await api.ask("POST", MAPS, config_map(f"m{number}"))
    await api.store.compact(api.store.revision)
    api.hub._ring.clear()
    api.hub._ring_after = api.store.revision
    response = await api.send("GET", MAPS, watch="1", resourceVersion=str(old))
    assert response.stream is not None
    event = lines(await anext(response.stream))[0]
    assert (event["type"], event["object"]["code"]) == ("ERROR", 410)
    await response.stream.aclose()  # type: ignore[attr-defined]  # a generator, as the listener closes it


def test_keys_of_known_kinds() -> None:
    """The owner index and the objects never share a prefix."""
    resource: Resource = known("apps", "deployments")
    assert not keys.range_prefix(resource).startswith("/owners/")


async def test_a_taken_name_is_told_before_anything_an_effect_refuses() -> None:
    """As if the name were looked up first; a dry run, which commits nothing, looks it up."""

    async def refuse_second(change: Change) -> Effect:
        if change.new is not None and change.resource.plural == "configmaps" and refusing:
            raise Conflict("not now")
        return Effect()

    refusing: list[bool] = []
    async with in_process(effects=[refuse_second]) as api:
        await api.ask("POST", MAPS, config_map("a"))
        assert (await api.ask("POST", MAPS, config_map("a"), dryRun="All"))["reason"] == "AlreadyExists"
        refusing.append(True)
        assert (await api.ask("POST", MAPS, config_map("a")))["reason"] == "AlreadyExists"
        assert (await api.ask("POST", MAPS, config_map("b")))["message"] == "not now"


async def test_a_create_and_the_end_of_its_namespace_exclude_each_other() -> None:
    """A namespace that begins to go after admission has looked takes the object along: nothing is left in it."""
    asked: list[str] = []

    async def deleted_meanwhile(change: Change) -> Effect:
        if change.name == "late" and not asked:
            asked.append(change.namespace)
            await started.ask("DELETE", "/api/v1/namespaces/n")
        return Effect()

    async with in_process(effects=[deleted_meanwhile]) as started:
        await started.add_namespace("n")
        refused = await started.ask("POST", "/api/v1/namespaces/n/configmaps", config_map("late"))
        assert asked == ["n"]
        assert refused["code"] == 403
        assert "because it is being terminated" in refused["message"]
        assert (await started.send("GET", "/api/v1/namespaces/n/configmaps/late")).code == 404


async def test_a_taken_name_with_a_stem(api: Api) -> None:
    """Whoever chose the name, an object with ``generateName`` is told to try again."""
    await api.ask("POST", MAPS, config_map("a"))
    answer = await api.ask("POST", MAPS, config_map("a", generateName="a"))
    assert answer["details"]["retryAfterSeconds"] == 1
    assert answer["message"] == (
        'configmaps "a" already exists, the server was not able to generate a unique name for the object'
    )


async def test_a_token_comes_before_the_version(api: Api) -> None:
    """With a token a version is refused whatever it says; version 0 gives all the rest."""
    for number in range(3):
        await api.ask("POST", MAPS, config_map(f"m{number}"))
    token = (await api.ask("GET", MAPS, limit="1"))["metadata"]["continue"]
    refused = await api.ask("GET", MAPS, **{"continue": token, "resourceVersion": "x"})
    assert refused["message"] == "specifying resource version is not allowed when using continue"
    rest = await api.ask("GET", MAPS, **{"continue": token, "resourceVersion": "0", "limit": "1"})
    assert len(rest["items"]) == 2


async def test_forgetting_owners_with_an_empty_list(api: Api) -> None:
    """A merge patch with no managedFields at all makes an object nobody's."""
    await api.ask("POST", MAPS, config_map("a"))
    answer = await api.ask("PATCH", f"{MAPS}/a", {"metadata": {"managedFields": []}}, kind=MERGE)
    assert "managedFields" not in answer["metadata"]


@pytest.mark.parametrize(("path", "code"), [("/api/v1/namespaces/default/events/x", 400), (f"{MAPS}/x", 500)])
async def test_get_at_no_revision(api: Api, path: str, code: int) -> None:
    """Events, which Kubernetes does not cache, tell a wrong resourceVersion from an error within."""
    answer = await api.ask("GET", path, resourceVersion="x")
    assert answer["code"] == code
    assert answer["message"].endswith(
        'resourceVersion: Invalid value: "x": strconv.ParseUint: parsing "x": invalid syntax'
    )


async def test_update_without_a_revision(api: Api) -> None:
    """Kinds that Kubernetes updates only with a revision demand one."""
    path = "/apis/node.k8s.io/v1/runtimeclasses"
    made = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "a"}, "handler": "h"}
    await api.ask("POST", path, made)
    answer = await api.ask("PUT", f"{path}/a", made)
    assert (answer["code"], answer["details"]["causes"][0]["field"]) == (422, "metadata.resourceVersion")


async def test_unreadable_selector_is_told_before_other_options(api: Api) -> None:
    """Of several wrong options the selector, which is decoded first, is the one told."""
    answer = await api.ask("GET", MAPS, labelSelector="a b=c", resourceVersionMatch="Exact")
    assert (answer["code"], answer["reason"]) == (400, "BadRequest")


async def test_lists_of_no_metadata(api: Api) -> None:
    """An empty list of metadata alone has null for its items."""
    kind = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    assert (await api.ask("GET", MAPS, accept=kind))["items"] is None


_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_DEFINITION = {
    "metadata": {"name": "xs.a.b", "finalizers": ["a.b/c"]},
    "spec": {
        "group": "a.b", "scope": "Cluster", "names": {"plural": "xs", "kind": "X"},
        "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
        ],
    },
}  # fmt: skip


async def test_deleting_a_definition(api: Api) -> None:
    """It is marked whatever the policy; only another deletion sets the grace period, and generation stays."""
    made = await api.ask("POST", _DEFINITIONS, _DEFINITION)
    refused = await api.ask("DELETE", f"{_DEFINITIONS}/xs.a.b", {"preconditions": {"uid": "x"}})
    uid = made["metadata"]["uid"]
    expected = f"Precondition failed: UID in precondition: x, UID in object meta: {uid}"
    assert refused["message"].endswith(expected)
    going = await api.ask("DELETE", f"{_DEFINITIONS}/xs.a.b", {"propagationPolicy": "Foreground"})
    assert going["metadata"]["finalizers"] == ["a.b/c", "customresourcecleanup.apiextensions.k8s.io"]
    assert "deletionGracePeriodSeconds" not in going["metadata"]
    again = await api.ask("DELETE", f"{_DEFINITIONS}/xs.a.b")
    assert (again["metadata"]["generation"], again["metadata"]["deletionGracePeriodSeconds"]) == (1, 0)


async def test_bookmarks_have_what_is_never_left_out(api: Api) -> None:
    """The bookmark after the initial events is the zero value of its Go type."""
    path = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
    more: dict[str, Any] = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
    watch = await api.send("GET", path, watch="true", timeoutSeconds="1", allowWatchBookmarks="true", **more)
    assert watch.stream is not None
    mark = lines(await anext(aiter(watch.stream)))[0]
    assert mark["type"] == "BOOKMARK"
    assert {name: mark["object"][name] for name in ("addressType", "endpoints", "ports")} == {
        "addressType": "", "endpoints": None, "ports": None,
    }  # fmt: skip
