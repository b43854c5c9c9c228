"""
The scheduler beside a real server, over two workspaces: one offers a cluster, the other uses it.

Aspects: statuses as kcp shows them, the right to use Locations, cordon and drain in counts, and rest over a kill -9.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import orjson

from fairlead_api import JsonObject
from fairlead_api.errors import ApiError, NotFound
from fairlead_machinery import kubeconfig
from fairlead_machinery.client import Client, Gvr
from fairlead_scheduler.plane import ASSIGNMENTS, EVENTS, LOCATIONS, NAMESPACES, PLACEMENTS, SYNC_TARGETS
from tests.support.servers import FairleadServer
from tests.support.waiting import wait_until_async

WORKSPACES = Gvr("tenancy.kcp.io", "v1alpha1", "workspaces")
ROLES = Gvr("rbac.authorization.k8s.io", "v1", "clusterroles")
ROLE_BINDINGS = Gvr("rbac.authorization.k8s.io", "v1", "clusterrolebindings")
INSTANCES = {"group": "workload.kcp.io", "version": "v1alpha1", "resource": "synctargets"}
WAIT_S = 20.0


def admin_of(server: FairleadServer) -> Client:
    """Return a client of the system user, at no workspace."""
    config = kubeconfig.load([server.directory / "scheduler.kubeconfig"], explicit=True)
    return Client(config.credentials(), base="")


async def workspace(client: Client, name: str) -> Client:
    """Make a workspace below root and return a client in it."""
    body = {
        "apiVersion": "tenancy.kcp.io/v1alpha1",
        "kind": "Workspace",
        "metadata": {"name": name},
        "spec": {"type": {"name": "universal", "path": "root"}},
    }
    root = client.at("root")
    await root.create(WORKSPACES, body)

    async def is_ready() -> bool:
        made = await root.get(WORKSPACES, name)
        return bool((made.get("status") or {}).get("phase") == "Ready")

    await wait_until_async(is_ready, WAIT_S)
    return client.at(f"root:{name}")


async def grant(place: Client, name: str, *rules: JsonObject) -> None:
    """Let alice do what the rules say."""
    group = {"apiGroup": "rbac.authorization.k8s.io"}
    await place.create(
        ROLES,
        {"apiVersion": f"{ROLES.group}/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": list(rules)},
    )
    await place.create(
        ROLE_BINDINGS,
        {
            "apiVersion": f"{ROLES.group}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {**group, "kind": "ClusterRole", "name": name},
            "subjects": [{**group, "kind": "User", "name": "alice"}],
        },
    )


ENTER: JsonObject = {"nonResourceURLs": ["/"], "verbs": ["access"]}


def placement(name: str = "p") -> JsonObject:
    return {
        "apiVersion": "scheduling.kcp.io/v1alpha1",
        "kind": "Placement",
        "metadata": {"name": name},
        "spec": {
            "locationResource": INSTANCES,
            "locationSelectors": [{}],
            "namespaceSelector": {},
            "locationWorkspace": "root:infra",
        },
    }


async def as_alice(place: Client, body: JsonObject) -> JsonObject:
    """Create a Placement as alice."""
    answer = await place.request(
        "POST", PLACEMENTS.path(), body=orjson.dumps(body), headers={"Impersonate-User": "alice"}
    )
    found: JsonObject = answer.json()
    return found


async def refusal(work: Awaitable[object]) -> tuple[int, str]:
    """Return code and message of the error something ends with."""
    try:
        await work
    except ApiError as error:
        return error.code, error.message
    return 200, ""


async def join(client: Client, infra: Client, name: str) -> None:
    """Make a SyncTarget that is alive, as an agent's first heartbeat does."""
    body = {"apiVersion": "workload.kcp.io/v1alpha1", "kind": "SyncTarget", "metadata": {"name": name}, "spec": {}}
    metadata = (await infra.create(SYNC_TARGETS, body))["metadata"]
    cluster = metadata["annotations"]["kcp.io/cluster"]
    place = client.below(f"/services/syncer/{cluster}/{name}/{metadata['uid']}")
    await place.request("POST", "/heartbeat", body=orjson.dumps({"syncerVersion": "test"}))


def shows(place: Client, gvr: Gvr, name: str, **status: object) -> Callable[[], Awaitable[JsonObject]]:
    """Return what waits for a status."""

    async def shown() -> JsonObject:
        try:
            obj = await place.get(gvr, name)
        except NotFound as error:
            raise AssertionError("not made yet") from error
        found = obj.get("status") or {}
        assert {key: found.get(key) for key in status} == status, obj
        return obj

    return shown


def scheduler_of(server: FairleadServer) -> int:
    """Return the process id of the server's scheduler."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                command = (entry / "cmdline").read_bytes().split(b"\0")
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            except OSError:
                continue
            if b"fairlead_scheduler" in command and int(parent) == server.process.pid:
                return int(entry.name)
    return 0


async def test_one_workspace_offers_what_another_uses(fairlead: FairleadServer) -> None:
    """From the right over the placing to the drain; then the scheduler is killed and nothing changes."""
    async with admin_of(fairlead) as client:
        infra, shop = await workspace(client, "infra"), await workspace(client, "shop")
        await join(client, infra, "east")
        await wait_until_async(shows(infra, LOCATIONS, "default", instances=1, availableInstances=1), WAIT_S)

        everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
        await grant(shop, "alice", ENTER, everything)
        expected = 'placements.scheduling.kcp.io "p" is forbidden: no permission to use Locations of workspace '
        assert await refusal(as_alice(shop, placement())) == (403, expected + "root:infra")
        nowhere = placement()
        nowhere["spec"]["locationWorkspace"] = "root:nowhere"
        assert await refusal(as_alice(shop, nowhere)) == (403, expected + "root:nowhere")
        use = {"apiGroups": ["scheduling.kcp.io"], "resources": ["locations"], "verbs": ["use"]}
        await grant(infra, "alice", ENTER, use)
        await as_alice(shop, placement())

        bound = await wait_until_async(shows(shop, PLACEMENTS, "p", phase="Bound"), WAIT_S)
        east = await infra.get(SYNC_TARGETS, "east")
        key = east["metadata"]["labels"]["internal.workload.kcp.io/key"]
        assert bound["status"]["selectedLocation"] == {
            "path": east["metadata"]["annotations"]["kcp.io/cluster"],
            "locationName": "default",
        }

        async def is_shown() -> JsonObject:
            namespace = await shop.get(NAMESPACES, "default")
            assert namespace["metadata"]["labels"][f"state.workload.kcp.io/{key}"] == "Sync", namespace
            assert namespace["metadata"]["annotations"]["scheduling.kcp.io/placement"] == ""
            shown = {one["type"]: one for one in namespace["status"].get("conditions") or ()}
            assert shown["NamespaceScheduled"]["message"] == "Runs in east"
            return namespace

        await wait_until_async(is_shown, WAIT_S)
        scheduled = await shop.get(PLACEMENTS, "p")
        assert [(one["type"], one["status"]) for one in scheduled["status"]["conditions"]] == [
            ("Ready", "True"),
            ("Scheduled", "True"),
        ]

        async def is_told() -> bool:
            events, _ = await shop.list(EVENTS, namespace="default")
            assert [one["message"] for one in events if one["reason"] == "Scheduled"] == ["Runs in east"], events
            return True

        await wait_until_async(is_told, WAIT_S)
        await _drain(client, infra, shop)
        await _killed(fairlead, infra, shop)


async def _drain(client: Client, infra: Client, shop: Client) -> None:
    """A second cluster is to take over; as its agent applies nothing the first one keeps what runs."""
    await join(client, infra, "west")
    await wait_until_async(shows(infra, LOCATIONS, "default", instances=2, availableInstances=2), WAIT_S)
    await infra.patch(SYNC_TARGETS, "east", {"spec": {"unschedulable": True, "evictAfter": "2026-01-01T00:00:00Z"}})

    async def moves() -> bool:
        targets = (await shop.get(ASSIGNMENTS, "default"))["spec"]["targets"]
        assert [(one["name"], one["state"]) for one in targets] == [
            ("east", "Draining"),
            ("west", "Sync"),
        ], targets
        return True

    async def is_told() -> bool:
        for namespace in (await shop.list(NAMESPACES))[0]:
            shown = namespace["status"].get("conditions") or ()
            messages = [one["message"] for one in shown if one["type"] == "NamespaceScheduled"]
            assert messages in ([], ["Runs in east, west; leaving east"]), namespace
        return True

    await wait_until_async(moves, WAIT_S)
    await wait_until_async(is_told, WAIT_S)
    await wait_until_async(shows(infra, LOCATIONS, "default", instances=2, availableInstances=1), WAIT_S)


async def _killed(server: FairleadServer, infra: Client, shop: Client) -> None:
    """A scheduler that begins anew finds everything as it should be: nothing that it writes has changed."""

    async def everything() -> set[tuple[str, str, str]]:
        # An Assignment's status belongs to the views, which count on.
        kinds = (
            (infra, LOCATIONS, "resourceVersion"),
            (shop, PLACEMENTS, "resourceVersion"),
            (shop, ASSIGNMENTS, "generation"),
            (shop, NAMESPACES, "resourceVersion"),
        )
        lists = [(gvr, field, (await place.list(gvr))[0]) for place, gvr, field in kinds]
        return {
            (str(gvr), obj["metadata"]["name"], str(obj["metadata"][field]))
            for gvr, field, objects in lists
            for obj in objects
        }

    before = await everything()
    killed = scheduler_of(server)
    os.kill(killed, signal.SIGKILL)

    async def is_back() -> bool:
        return scheduler_of(server) not in {0, killed}

    await wait_until_async(is_back, WAIT_S)
    made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "later"}}
    await shop.create(NAMESPACES, made)  # placed, so the new scheduler has looked at the workspace

    async def is_placed() -> bool:
        found = {obj["metadata"]["name"] for obj in (await shop.list(ASSIGNMENTS))[0] if obj["spec"]["targets"]}
        return "later" in found

    await wait_until_async(is_placed, WAIT_S)
    after = await everything()
    assert before <= after
