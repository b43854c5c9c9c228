"""The plugins of a plain Kubernetes API, one by one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from fairlead_api import JsonObject
from fairlead_api.errors import Forbidden
from fairlead_api.request import SYSTEM
from fairlead_control_plane.admission.claim_resize import ClaimResize
from fairlead_control_plane.admission.contract import Attributes, Plugin
from fairlead_control_plane.admission.default_classes import DefaultClasses
from fairlead_control_plane.admission.limit_ranges import LimitRanges
from fairlead_control_plane.admission.node_taints import NodeTaints
from fairlead_control_plane.admission.plain import plain_plugins
from fairlead_control_plane.admission.priority import Priority
from fairlead_control_plane.admission.runtime_classes import RuntimeClasses, merged
from fairlead_control_plane.admission.service_accounts import ServiceAccounts
from fairlead_control_plane.admission.storage_protection import StorageProtection
from fairlead_control_plane.admission.tolerations import DefaultTolerations
from fairlead_control_plane.kinds.reader import put
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.store.sqlite import SqliteStore
from tests.unit.control_plane.in_process import known

PODS, CLAIMS = known("", "pods"), known("", "persistentvolumeclaims")
INGRESSES = known("networking.k8s.io", "ingresses")
ACCOUNTS, RANGES = known("", "serviceaccounts"), known("", "limitranges")
PRIORITIES = known("scheduling.k8s.io", "priorityclasses")
RUNTIMES = known("node.k8s.io", "runtimeclasses")
STORAGES, INGRESS_CLASSES = known("storage.k8s.io", "storageclasses"), known("networking.k8s.io", "ingressclasses")
DAY = "2026-01-0{}T00:00:00Z"


@pytest.fixture
async def store() -> AsyncIterator[SqliteStore]:
    """An empty store."""
    opened = await SqliteStore.open(":memory:")
    yield opened
    await opened.close()


async def add(store: SqliteStore, resource: Resource, name: str, data: Mapping[str, Any], **body: object) -> None:
    """Store an object."""
    metadata: JsonObject = {"name": name, "creationTimestamp": DAY.format(1), **data}
    if resource.namespaced:
        metadata["namespace"] = "ns"
    obj = {"apiVersion": resource.api_version("v1"), "kind": resource.kind, "metadata": metadata, **body}
    await store.commit([put(resource, "root", obj)])


def write(resource: Resource, obj: JsonObject, old: JsonObject | None = None) -> Attributes:
    """Return a create, or an update."""
    return Attributes(
        operation="CREATE" if old is None else "UPDATE",
        resource=resource,
        version="v1",
        cluster="root",
        namespace="ns" if resource.namespaced else "",
        name=obj["metadata"]["name"],
        subresource="",
        user=SYSTEM,
        obj=obj,
        old=old,
    )


async def admitted(plugin: Plugin, resource: Resource, obj: JsonObject, old: JsonObject | None = None) -> JsonObject:
    """Return an object as a plugin leaves it."""
    attributes = write(resource, obj, old)
    await plugin.admit(attributes)
    await plugin.validate(attributes)
    return obj


async def refusal(plugin: Plugin, resource: Resource, obj: JsonObject, old: JsonObject | None = None) -> str:
    """Return why a plugin refuses."""
    with pytest.raises(Forbidden) as caught:
        await admitted(plugin, resource, obj, old)
    return caught.value.message.partition("is forbidden: ")[2]


def pod(resources: JsonObject | None = None, **spec: object) -> JsonObject:
    """Return a pod of one container."""
    container: JsonObject = {"name": "c", "image": "i", "resources": resources or {}}
    return {"metadata": {"name": "p", "namespace": "ns"}, "spec": {"containers": [container], **spec}}


def claim(size: str = "1Gi", **spec: object) -> JsonObject:
    """Return a claim."""
    return {"metadata": {"name": "c"}, "spec": {"resources": {"requests": {"storage": size}}, **spec}}


async def test_a_pod_gets_its_account_and_token(store: SqliteStore) -> None:
    """The token is a projected volume, mounted where a container has nothing else."""
    await add(store, ACCOUNTS, "default", {}, imagePullSecrets=[{"name": "pull"}])
    found = await admitted(ServiceAccounts(store, ACCOUNTS, lambda: "abcde"), PODS, pod())
    spec = found["spec"]
    assert (spec["serviceAccountName"], spec["serviceAccount"]) == ("default", "default")
    assert spec["imagePullSecrets"] == [{"name": "pull"}]
    mount = {
        "name": "kube-api-access-abcde",
        "readOnly": True,
        "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
    }
    assert spec["containers"][0]["volumeMounts"] == [mount]
    (volume,) = spec["volumes"]
    assert volume["projected"]["defaultMode"] == 420
    assert volume["projected"]["sources"][0] == {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}


async def test_no_token_where_nobody_wants_it(store: SqliteStore) -> None:
    """The account or the pod says so; the pod's word counts for more."""
    await add(store, ACCOUNTS, "default", {}, automountServiceAccountToken=False)
    plugin = ServiceAccounts(store, ACCOUNTS, lambda: "abcde")
    assert "volumes" not in (await admitted(plugin, PODS, pod()))["spec"]
    assert "volumes" in (await admitted(plugin, PODS, pod(automountServiceAccountToken=True)))["spec"]


async def test_accounts_that_are_not_there(store: SqliteStore) -> None:
    """A pod of a missing account is refused, and a mirror pod of any."""
    plugin = ServiceAccounts(store, ACCOUNTS, lambda: "abcde")
    text = 'error looking up service account ns/x: serviceaccount "x" not found'
    assert await refusal(plugin, PODS, pod(serviceAccountName="x")) == text
    mirror = pod(serviceAccountName="x")
    mirror["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "1"}
    assert await refusal(plugin, PODS, mirror) == "a mirror pod may not reference service accounts"


async def test_accounts_that_list_their_secrets(store: SqliteStore) -> None:
    """Only those may be used."""
    enforced = {"annotations": {"kubernetes.io/enforce-mountable-secrets": "true"}}
    await add(store, ACCOUNTS, "default", enforced, secrets=[{"name": "mine"}])
    plugin = ServiceAccounts(store, ACCOUNTS, lambda: "abcde")
    await admitted(plugin, PODS, pod(volumes=[{"name": "v", "secret": {"secretName": "mine"}}]))
    text = (
        'volume with secret.secretName="other" is not allowed because service account default does not reference '
        "that secret"
    )
    assert await refusal(plugin, PODS, pod(volumes=[{"name": "v", "secret": {"secretName": "other"}}])) == text


async def test_priority_is_written_into_pods(store: SqliteStore) -> None:
    """By class, by the default class, or 0."""
    plugin = Priority(store, PRIORITIES)
    spec = (await admitted(plugin, PODS, pod()))["spec"]
    assert (spec["priority"], spec["preemptionPolicy"]) == (0, "PreemptLowerPriority")
    await add(store, PRIORITIES, "high", {}, value=7, preemptionPolicy="Never")
    spec = (await admitted(plugin, PODS, pod(priorityClassName="high")))["spec"]
    assert (spec["priority"], spec["preemptionPolicy"]) == (7, "Never")
    await add(store, PRIORITIES, "usual", {}, value=3, globalDefault=True)
    spec = (await admitted(plugin, PODS, pod()))["spec"]
    assert (spec["priority"], spec["priorityClassName"]) == (3, "usual")
    assert await refusal(plugin, PODS, pod(priorityClassName="x")) == "no PriorityClass with name x was found"
    assert await refusal(plugin, PODS, pod(priority=1)) == (
        "the integer value of priority (1) must not be provided in pod spec; priority admission controller computed 3 "
        "from the given PriorityClass name"
    )
    other = {"metadata": {"name": "other"}, "globalDefault": True}
    text = "PriorityClass usual is already marked as default. Only one default can exist"
    assert await refusal(plugin, PRIORITIES, other) == text


async def test_updates_keep_the_priority(store: SqliteStore) -> None:
    """A client that leaves it out does not take it away."""
    found = await admitted(Priority(store, PRIORITIES), PODS, pod(), pod(priority=5))
    assert found["spec"]["priority"] == 5


async def test_limit_ranges_fill_in(store: SqliteStore) -> None:
    """What a container does not say, and a note of it."""
    limit = {"type": "Container", "default": {"cpu": "1"}, "defaultRequest": {"cpu": "100m", "memory": "1Gi"}}
    await add(store, RANGES, "r", {}, spec={"limits": [limit]})
    found = await admitted(LimitRanges(store, RANGES), PODS, pod({"requests": {"cpu": "200m"}}))
    resources = found["spec"]["containers"][0]["resources"]
    assert resources == {"requests": {"cpu": "200m", "memory": "1Gi"}, "limits": {"cpu": "1"}}
    note = found["metadata"]["annotations"]["kubernetes.io/limit-ranger"]
    assert note == "LimitRanger plugin set: memory request for container c; cpu limit for container c"


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        ({"min": {"cpu": "1"}}, "minimum cpu usage per Container is 1, but request is 500m"),
        ({"min": {"memory": "1"}}, "minimum memory usage per Container is 1.  No request is specified"),
        ({"max": {"cpu": "1500m"}}, "maximum cpu usage per Container is 1500m, but limit is 2"),
        ({"max": {"memory": "1"}}, "maximum memory usage per Container is 1.  No limit is specified"),
        (
            {"maxLimitRequestRatio": {"cpu": "3"}},
            "cpu max limit to request ratio per Container is 3, but provided ratio is 4.000000",
        ),
        (
            {"max": {"cpu": "1"}, "min": {"cpu": "1"}},
            "[minimum cpu usage per Container is 1, but request is 500m, maximum cpu usage per Container is 1, but "
            "limit is 2]",
        ),
    ],
)
async def test_limit_ranges_bound(store: SqliteStore, limit: JsonObject, text: str) -> None:
    """Too little, too much, too wide."""
    await add(store, RANGES, "r", {}, spec={"limits": [{"type": "Container", **limit}]})
    asked = pod({"requests": {"cpu": "500m"}, "limits": {"cpu": "2"}})
    assert await refusal(LimitRanges(store, RANGES), PODS, asked) == text


async def test_limit_ranges_bound_claims_and_pods(store: SqliteStore) -> None:
    """Claims by their size, pods by the sum of their containers."""
    await add(store, RANGES, "c", {}, spec={"limits": [{"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}}]})
    text = "maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 2Gi"
    assert await refusal(LimitRanges(store, RANGES), CLAIMS, claim("2Gi")) == text
    await add(store, RANGES, "p", {}, spec={"limits": [{"type": "Pod", "max": {"cpu": "1"}}]})
    two = pod({"limits": {"cpu": "700m"}})
    two["spec"]["containers"] *= 2
    text = "maximum cpu usage per Pod is 1, but limit is 1400m"
    assert await refusal(LimitRanges(store, RANGES), PODS, two) == text


async def test_default_tolerations() -> None:
    """Added unless there is one of that key in any form."""
    plugin = DefaultTolerations()
    found = (await admitted(plugin, PODS, pod()))["spec"]["tolerations"]
    assert [(one["key"], one["tolerationSeconds"]) for one in found] == [
        ("node.kubernetes.io/not-ready", 300),
        ("node.kubernetes.io/unreachable", 300),
    ]
    own = {"key": "node.kubernetes.io/unreachable", "operator": "Exists"}
    found = (await admitted(plugin, PODS, pod(tolerations=[own])))["spec"]["tolerations"]
    assert [one["key"] for one in found] == ["node.kubernetes.io/unreachable", "node.kubernetes.io/not-ready"]
    every = [{"operator": "Exists"}]
    assert (await admitted(plugin, PODS, pod(tolerations=every)))["spec"]["tolerations"] == every


async def test_new_nodes_are_tainted_once() -> None:
    """And only when they are created."""
    nodes = known("", "nodes")
    node = await admitted(NodeTaints(), nodes, {"metadata": {"name": "n"}})
    assert node["spec"]["taints"] == [{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]
    assert len((await admitted(NodeTaints(), nodes, node))["spec"]["taints"]) == 1
    assert "spec" not in await admitted(NodeTaints(), nodes, {"metadata": {"name": "n"}}, node)


async def test_default_classes(store: SqliteStore) -> None:
    """The newest of those marked; not where a class, or none, is named."""
    marked = {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}
    for name, day in (("old", 1), ("b", 2), ("a", 2)):
        await add(store, STORAGES, name, {**marked, "creationTimestamp": DAY.format(day)})
    await add(store, STORAGES, "other", {"creationTimestamp": DAY.format(3)})
    marked = {"annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}}
    await add(store, INGRESS_CLASSES, "nginx", marked)
    plugin = DefaultClasses(store, STORAGES, INGRESS_CLASSES)
    assert (await admitted(plugin, CLAIMS, claim()))["spec"]["storageClassName"] == "a"
    assert (await admitted(plugin, CLAIMS, claim(storageClassName="")))["spec"]["storageClassName"] == ""
    ingress = await admitted(plugin, INGRESSES, {"metadata": {"name": "i"}, "spec": {}})
    assert ingress["spec"]["ingressClassName"] == "nginx"
    old = {"metadata": {"name": "i", "annotations": {"kubernetes.io/ingress.class": "x"}}, "spec": {}}
    assert (await admitted(plugin, INGRESSES, old))["spec"] == {}


async def test_storage_is_protected() -> None:
    """By a finalizer, once."""
    found = await admitted(StorageProtection(), CLAIMS, claim())
    assert found["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
    assert len((await admitted(StorageProtection(), CLAIMS, found))["metadata"]["finalizers"]) == 1


async def test_claims_grow_where_they_can(store: SqliteStore) -> None:
    """Bound, and of a class that allows it."""
    await add(store, STORAGES, "wide", {}, allowVolumeExpansion=True)
    await add(store, STORAGES, "fixed", {})
    plugin = ClaimResize(store, STORAGES)
    old = {**claim(storageClassName="wide"), "status": {"phase": "Bound"}}
    await admitted(plugin, CLAIMS, claim("2Gi", storageClassName="wide"), old)
    text = "Only bound persistent volume claims can be expanded"
    assert await refusal(plugin, CLAIMS, claim("2Gi"), claim()) == text
    old = {**claim(storageClassName="fixed"), "status": {"phase": "Bound"}}
    assert (await refusal(plugin, CLAIMS, claim("2Gi", storageClassName="fixed"), old)).startswith("only dynamically")
    await admitted(plugin, CLAIMS, claim("1Gi", storageClassName="fixed"), old)


async def test_runtime_classes(store: SqliteStore) -> None:
    """Overhead, selector and tolerations of the class come into the pod."""
    toleration = {"key": "a", "operator": "Exists"}
    await add(
        store,
        RUNTIMES,
        "kata",
        {},
        overhead={"podFixed": {"cpu": "250m"}},
        scheduling={"nodeSelector": {"kata": "yes"}, "tolerations": [toleration]},
    )
    plugin = RuntimeClasses(store, RUNTIMES)
    spec = (await admitted(plugin, PODS, pod(runtimeClassName="kata", nodeSelector={"x": "y"})))["spec"]
    assert spec["overhead"] == {"cpu": "250m"}
    assert spec["nodeSelector"] == {"x": "y", "kata": "yes"}
    assert spec["tolerations"] == [toleration]
    assert await refusal(plugin, PODS, pod(runtimeClassName="x")) == 'pod rejected: RuntimeClass "x" not found'
    own = pod(overhead={"cpu": "1"})
    text = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"
    assert await refusal(plugin, PODS, own) == text
    text = "conflict: runtimeClass.scheduling.nodeSelector[kata] = yes; pod.spec.nodeSelector[kata] = no"
    assert await refusal(plugin, PODS, pod(runtimeClassName="kata", nodeSelector={"kata": "no"})) == text


def test_tolerations_that_others_cover_go() -> None:
    """The widest stays; of equal ones the first."""
    one = {"key": "a", "operator": "Equal", "value": "b", "effect": "NoExecute"}
    assert merged([one, dict(one)]) == [one]
    wide = {"operator": "Exists"}
    assert merged([one, wide]) == [wide]
    short = {"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}
    assert merged([short, one]) == [short, one]


def test_storage_is_protected_only_where_somebody_lets_go(store: SqliteStore) -> None:
    """In a lab nobody would take the finalizer off."""
    for has_controllers in (True, False):
        plugins = plain_plugins(store, known, lambda: "abcde", has_controllers=has_controllers)
        assert any(isinstance(one, StorageProtection) for one in plugins) is has_controllers
