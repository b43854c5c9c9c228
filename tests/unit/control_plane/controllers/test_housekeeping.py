"""Garbage collection, namespace deletion, definitions and what every namespace has, with the controllers running."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from fairlead_api import JsonObject
from fairlead_api.errors import Conflict, Forbidden, NotFound
from fairlead_control_plane.admission.namespace_objects import NamespaceObjects
from fairlead_control_plane.controllers.conditions import is_true
from fairlead_control_plane.controllers.crds import Definitions
from fairlead_control_plane.controllers.departed import ORIGIN
from fairlead_control_plane.controllers.garbage import Garbage
from fairlead_control_plane.controllers.namespaces import Namespaces
from fairlead_control_plane.controllers.rootca import RootCa
from fairlead_control_plane.controllers.runner import Runner
from fairlead_control_plane.kinds.builtin import builtin_resources
from fairlead_control_plane.kinds.change import Change, Effect
from fairlead_control_plane.kinds.custom import resource_from_crd
from tests.unit.control_plane.in_process import (
    CONFIG_MAPS,
    MAPS,
    MERGE,
    NAMESPACES,
    Api,
    config_map,
    in_process,
    known,
)

ACCOUNTS = known("", "serviceaccounts")
CRDS = known("apiextensions.k8s.io", "customresourcedefinitions")
SERVED = {(kind.group, kind.plural) for kind in builtin_resources("cluster")}
OBJECTS = NamespaceObjects(CONFIG_MAPS, ACCOUNTS, lambda: "PEM", lambda: "some-uid", lambda: "2026-01-01T00:00:00Z")


def runner_of(api: Api) -> Runner:
    registry = api.registry
    return Runner(
        api.store,
        api.hub,
        [
            Garbage(registry),
            Namespaces(registry, NAMESPACES),
            Definitions(registry, CRDS, resource_from_crd, SERVED),
            RootCa(registry, NAMESPACES, OBJECTS),
        ],
        cursor_s=0.01,
    )


@asynccontextmanager
async def running(api: Api) -> AsyncIterator[Runner]:
    runner = runner_of(api)
    task = asyncio.create_task(runner.run())
    try:
        yield runner
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with in_process(effects=[OBJECTS.effects]) as started, running(started):
        yield started


async def until(condition: Callable[[], Awaitable[bool]], api: Api) -> None:
    """Wait for a condition, looking after each change of the store."""
    subscription = api.hub.watch("/", after=api.hub.revision, frame=lambda _: b".", key=object())
    try:
        async with asyncio.timeout(5):
            while not await condition():
                await subscription.take()
    finally:
        await subscription.close()


async def gone(api: Api, path: str, cluster: str = "root") -> None:
    async def is_gone() -> bool:
        return (await api.send("GET", path, cluster=cluster)).code == 404

    await until(is_gone, api)


def owned_by(owner: JsonObject, *, blocks: bool = False) -> list[JsonObject]:
    metadata = owner["metadata"]
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": metadata["name"], "uid": metadata["uid"]}
    return [{**reference, "blockOwnerDeletion": True} if blocks else reference]


async def family(api: Api, *, blocks: bool = False) -> None:
    """Create a grandparent, a parent and a child."""
    first = await api.ask("POST", MAPS, config_map("first"))
    second = await api.ask("POST", MAPS, config_map("second", ownerReferences=owned_by(first, blocks=blocks)))
    await api.ask("POST", MAPS, config_map("third", ownerReferences=owned_by(second, blocks=blocks)))


async def test_background_deletion_takes_all_descendants(api: Api) -> None:
    """Deleting an owner deletes what it owns, and what that owns."""
    await family(api)
    await api.ask("DELETE", f"{MAPS}/first")
    await gone(api, f"{MAPS}/third")
    await gone(api, f"{MAPS}/second")


async def test_foreground_deletion_waits_for_blocking_dependents(api: Api) -> None:
    """The owner goes after its last blocking dependent, not before."""
    await family(api, blocks=True)
    await api.ask("PATCH", f"{MAPS}/third", {"metadata": {"finalizers": ["example.com/hold"]}}, kind=MERGE)
    held = await api.ask("DELETE", f"{MAPS}/first", {"propagationPolicy": "Foreground"})
    assert held["metadata"]["finalizers"] == ["foregroundDeletion"]

    async def third_is_going() -> bool:
        return "deletionTimestamp" in (await api.ask("GET", f"{MAPS}/third"))["metadata"]

    await until(third_is_going, api)
    assert (await api.send("GET", f"{MAPS}/first")).code == 200
    await api.ask("PATCH", f"{MAPS}/third", {"metadata": {"finalizers": None}}, kind=MERGE)
    await gone(api, f"{MAPS}/first")


async def test_orphaning_keeps_the_dependents(api: Api) -> None:
    """With Orphan the dependents stay, without their reference."""
    await family(api)
    await api.ask("DELETE", f"{MAPS}/first", {"propagationPolicy": "Orphan"})
    await gone(api, f"{MAPS}/first")
    second = await api.ask("GET", f"{MAPS}/second")
    assert "ownerReferences" not in second["metadata"]
    assert (await api.send("GET", f"{MAPS}/third")).code == 200


async def test_a_dependent_of_nobody_is_collected(api: Api) -> None:
    """An owner that never was deletes its dependent; one whose kind is unknown, or one that is left, does not."""
    lost = {"apiVersion": "v1", "kind": "ConfigMap", "name": "never", "uid": "never"}
    unknown = {"apiVersion": "example.com/v1", "kind": "Thing", "name": "x", "uid": "x"}
    keeper = await api.ask("POST", MAPS, config_map("keeper"))
    await api.ask("POST", MAPS, config_map("kept", ownerReferences=[lost, *owned_by(keeper)]))
    await api.ask("POST", MAPS, config_map("unknown", ownerReferences=[unknown]))
    await api.ask("POST", MAPS, config_map("lost", ownerReferences=[lost]))
    await gone(api, f"{MAPS}/lost")

    async def is_mended() -> bool:
        kept = await api.ask("GET", f"{MAPS}/kept")
        return bool(kept["metadata"]["ownerReferences"] == owned_by(keeper))

    await until(is_mended, api)
    assert (await api.send("GET", f"{MAPS}/unknown")).code == 200


async def test_a_dependent_that_was_let_go_of_meanwhile_stays() -> None:
    """Between the look at an object and its deletion somebody may drop the reference: then it is nobody's dependent."""
    async with in_process() as started:
        lost = {"apiVersion": "v1", "kind": "ConfigMap", "name": "never", "uid": "never"}
        await started.ask("POST", MAPS, config_map("child", ownerReferences=[lost]))

        class Overtaken(Garbage):
            async def _policy(self, obj: JsonObject, cluster: str, *, is_waited_for: bool) -> str:
                await started.ask("PATCH", f"{MAPS}/child", {"metadata": {"ownerReferences": None}}, kind=MERGE)
                return await super()._policy(obj, cluster, is_waited_for=is_waited_for)

        await Overtaken(started.registry).reconcile(("owner", "root", "never"))
        assert (await started.send("GET", f"{MAPS}/child")).code == 200


async def test_one_refused_deletion_does_not_hold_up_the_others() -> None:
    """What must not be deleted stays and is tried again; its siblings go."""

    async def refuse(change: Change) -> Effect:
        if change.new is None and change.name == "a":
            raise Forbidden("not this one")
        return Effect()

    async with in_process(effects=[refuse]) as started:
        lost = {"apiVersion": "v1", "kind": "ConfigMap", "name": "never", "uid": "never"}
        for name in ("a", "b"):
            await started.ask("POST", MAPS, config_map(name, ownerReferences=[lost]))
        with pytest.raises(Forbidden):
            await Garbage(started.registry).reconcile(("owner", "root", "never"))
        assert (await started.send("GET", f"{MAPS}/a")).code == 200
        assert (await started.send("GET", f"{MAPS}/b")).code == 404


async def test_a_dependent_that_blocks_no_longer_lets_its_owner_go(api: Api) -> None:
    """An owner deleted in the foreground waits for blocking dependents only, also when one changes its mind."""
    owner = await api.ask("POST", MAPS, config_map("owner"))
    held = config_map("held", ownerReferences=owned_by(owner, blocks=True), finalizers=["example.com/hold"])
    await api.ask("POST", MAPS, held)
    await api.ask("DELETE", f"{MAPS}/owner", {"propagationPolicy": "Foreground"})

    async def is_going() -> bool:
        return "deletionTimestamp" in (await api.ask("GET", f"{MAPS}/held"))["metadata"]

    await until(is_going, api)
    await api.ask("PATCH", f"{MAPS}/held", {"metadata": {"ownerReferences": owned_by(owner)}}, kind=MERGE)
    await gone(api, f"{MAPS}/owner")
    assert (await api.send("GET", f"{MAPS}/held")).code == 200


async def test_owners_of_another_cluster_do_not_count(api: Api) -> None:
    """An object of the same name and uid in another logical cluster neither keeps nor deletes anything."""
    await api.add_namespace("default", "other")
    owner = await api.ask("POST", MAPS, config_map("owner"))
    await api.ask("POST", MAPS, config_map("child", ownerReferences=owned_by(owner)))
    await api.ask("POST", MAPS, config_map("child", ownerReferences=owned_by(owner)), cluster="other")
    await gone(api, f"{MAPS}/child", "other")
    assert (await api.send("GET", f"{MAPS}/child")).code == 200


async def test_a_restart_goes_on_from_the_cursor() -> None:
    """What happened while no controller ran is done afterwards, from the durable cursor."""
    async with in_process() as api:
        async with running(api):
            await family(api)

            async def has_cursor() -> bool:
                return await api.store.get("/meta/controllers/main") is not None

            await until(has_cursor, api)
        await api.ask("DELETE", f"{MAPS}/first")
        async with running(api):
            await gone(api, f"{MAPS}/third")


async def test_a_namespace_is_emptied_and_goes(api: Api) -> None:
    """Deletion removes all content; what a finalizer holds is named in the conditions until it is released."""
    await api.add_namespace("n")
    maps = "/api/v1/namespaces/n/configmaps"
    await api.ask("POST", maps, config_map("plain"))
    await api.ask("POST", maps, config_map("held", finalizers=["example.com/hold"]))
    await api.ask("DELETE", "/api/v1/namespaces/n")
    await gone(api, f"{maps}/plain")

    async def is_explained() -> bool:
        return is_true(await api.ask("GET", "/api/v1/namespaces/n"), "NamespaceFinalizersRemaining")

    await until(is_explained, api)
    conditions = (await api.ask("GET", "/api/v1/namespaces/n"))["status"]["conditions"]
    texts = {one["type"]: one["message"] for one in conditions}
    assert texts["NamespaceContentRemaining"] == "Some resources are remaining: configmaps has 1 resource instances"
    assert texts["NamespaceFinalizersRemaining"] == (
        "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"
    )
    await api.ask("PATCH", f"{maps}/held", {"metadata": {"finalizers": None}}, kind=MERGE)
    await gone(api, "/api/v1/namespaces/n")
    assert (await api.registry.list(CONFIG_MAPS, "root", "n"))[0] == []


async def test_pods_of_a_cluster_hold_no_namespace(api: Api) -> None:
    """What only shows a cluster's Pod goes last and at once: its end is up to what the namespace still holds."""
    await api.add_namespace("n")
    pods = "/api/v1/namespaces/n/pods"
    metadata = {"name": "web-1", "labels": {ORIGIN: "a-target"}}
    spec = {"nodeName": "node-1", "containers": [{"name": "web", "image": "web:1"}]}
    await api.ask("POST", pods, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    await api.ask("POST", "/api/v1/namespaces/n/configmaps", config_map("c"))
    await api.ask("DELETE", "/api/v1/namespaces/n")
    await gone(api, "/api/v1/namespaces/n")
    assert (await api.send("GET", f"{pods}/web-1")).code == 404


async def test_a_namespace_waits_for_what_cannot_be_deleted_now() -> None:
    """A conflict is no reason to take an object for gone: the namespace stays and says why."""

    async def refuse(change: Change) -> Effect:
        if change.new is None and change.name == "stuck":
            raise Conflict("somebody else holds it")
        return Effect()

    async with in_process(effects=[refuse]) as started, running(started):
        await started.add_namespace("n")
        await started.ask("POST", "/api/v1/namespaces/n/configmaps", config_map("stuck"))
        await started.ask("DELETE", "/api/v1/namespaces/n")

        async def is_explained() -> bool:
            place = await started.send("GET", "/api/v1/namespaces/n")
            return place.code == 404 or is_true(
                await started.ask("GET", "/api/v1/namespaces/n"), "NamespaceDeletionContentFailure"
            )

        await until(is_explained, started)
        assert (await started.send("GET", "/api/v1/namespaces/n")).code == 200
        assert (await started.send("GET", "/api/v1/namespaces/n/configmaps/stuck")).code == 200


async def test_every_namespace_has_its_first_objects(api: Api) -> None:
    """They are there in the namespace's own revision, and come back when deleted or changed."""
    await api.add_namespace("n")
    place = await api.registry.get(NAMESPACES, "root", "", "n")
    root_ca = await api.registry.get(CONFIG_MAPS, "root", "n", "kube-root-ca.crt")
    assert root_ca["metadata"]["resourceVersion"] == place["metadata"]["resourceVersion"]
    await api.ask("DELETE", "/api/v1/namespaces/n/serviceaccounts/default")
    path = "/api/v1/namespaces/n/configmaps/kube-root-ca.crt"
    await api.ask("PATCH", path, {"data": {"ca.crt": "forged"}}, kind=MERGE)

    async def is_restored() -> bool:
        try:
            await api.registry.get(ACCOUNTS, "root", "n", "default")
        except NotFound:
            return False
        return bool((await api.ask("GET", path))["data"] == {"ca.crt": "PEM"})

    await until(is_restored, api)


def definition(plural: str, kind: str) -> JsonObject:
    schema = {"openAPIV3Schema": {"type": "object"}}
    return {
        "metadata": {"name": f"{plural}.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }


async def test_a_definition_over_a_served_kind_takes_nothing_with_it(api: Api) -> None:
    """As in Kubernetes: it may be there, is established, says who approved of it, and its end touches no object."""
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
    await api.ask("POST", roles, {"metadata": {"name": "kept"}})
    crd = definition("clusterroles", "ClusterRole")
    name = "clusterroles.rbac.authorization.k8s.io"
    crd["metadata"] = {"name": name, "annotations": {"api-approved.kubernetes.io": "unapproved, testing"}}
    crd["spec"] |= {"group": "rbac.authorization.k8s.io", "scope": "Cluster"}
    await api.ask("POST", path, crd)

    async def is_judged() -> bool:
        made = await api.ask("GET", f"{path}/{name}")
        found = {one["type"]: one["status"] for one in made["status"].get("conditions") or []}
        return found == {
            "NamesAccepted": "True",
            "Established": "True",
            "KubernetesAPIApprovalPolicyConformant": "False",
        }

    await until(is_judged, api)
    await api.ask("DELETE", f"{path}/{name}")
    await gone(api, f"{path}/{name}")
    assert (await api.ask("GET", f"{roles}/kept"))["metadata"]["name"] == "kept"


async def test_definitions_are_established_unless_a_name_is_taken(api: Api) -> None:
    """The first of two definitions with one kind gets it; the second says why, and gets it when the first goes."""
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

    def has(name: str, condition: str) -> Callable[[], Awaitable[bool]]:
        async def check() -> bool:
            return is_true(await api.ask("GET", f"{path}/{name}.example.com"), condition)

        return check

    await api.ask("POST", path, definition("foos", "Foo"))
    await until(has("foos", "Established"), api)
    await api.ask("POST", path, definition("others", "Foo"))

    async def is_refused() -> bool:
        crd = await api.ask("GET", f"{path}/others.example.com")
        return any(one["reason"] == "ListKindConflict" for one in crd["status"].get("conditions") or [])

    await until(is_refused, api)
    resource = resource_from_crd(await api.ask("GET", f"{path}/foos.example.com"))
    await api.registry.create(resource, "root", {"metadata": {"name": "x", "namespace": "default"}, "kind": "Foo"})
    held = await api.ask("DELETE", f"{path}/foos.example.com")
    assert held["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
    await gone(api, f"{path}/foos.example.com")
    assert (await api.registry.list(resource, "root"))[0] == []
    await until(has("others", "Established"), api)
