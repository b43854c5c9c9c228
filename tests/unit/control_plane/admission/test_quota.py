"""ResourceQuota: what counts for what, and what is refused in which words."""

from __future__ import annotations

import asyncio

import pytest

from fairlead_api import JsonObject
from fairlead_api.errors import Forbidden
from fairlead_api.request import SYSTEM
from fairlead_control_plane.admission.contract import Attributes
from fairlead_control_plane.admission.quota import ResourceQuotas, charged
from fairlead_control_plane.admission.usage import measure_of
from fairlead_control_plane.kinds.record import Resource
from tests.unit.control_plane.in_process import CONFIG_MAPS, in_process, known

PODS, SERVICES, CLAIMS = known("", "pods"), known("", "services"), known("", "persistentvolumeclaims")
QUOTAS = known("", "resourcequotas")
DEPLOYMENTS = known("apps", "deployments")


def pod(requests: JsonObject | None = None, limits: JsonObject | None = None, **spec: object) -> JsonObject:
    """Return a pod of one container."""
    resources = {"requests": requests or {}, "limits": limits or {}}
    containers = [{"name": "c", "image": "i", "resources": resources}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "default"},
        "spec": {"containers": containers, **spec},
    }


def claim(size: str, storage_class: str | None = None) -> JsonObject:
    """Return a claim."""
    spec: JsonObject = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    if storage_class is not None:
        spec["storageClassName"] = storage_class
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "c"}, "spec": spec}


def service(kind: str, ports: int = 1, **spec: object) -> JsonObject:
    """Return a Service."""
    listed = [{"port": 80 + index} for index in range(ports)]
    return {"metadata": {"name": "s"}, "spec": {"type": kind, "ports": listed, **spec}}


def quota(hard: JsonObject, used: JsonObject | None = None, **spec: object) -> JsonObject:
    """Return a quota that has been counted."""
    counted = dict.fromkeys(hard, "0") if used is None else used
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "q", "namespace": "default"},
        "spec": {"hard": hard, **spec},
        "status": {"hard": hard, "used": counted},
    }


def creating(resource: Resource, obj: JsonObject, old: JsonObject | None = None) -> Attributes:
    """Return a create, or an update."""
    return Attributes(
        operation="CREATE" if old is None else "UPDATE",
        resource=resource,
        version="v1",
        cluster="root",
        namespace="default",
        name=obj["metadata"]["name"],
        subresource="",
        user=SYSTEM,
        obj=obj,
        old=old,
    )


def used(resource: Resource, obj: JsonObject) -> dict[str, str]:
    """Return what an object counts for, as text."""
    return {name: str(amount) for name, amount in measure_of(resource, lambda: 0.0).usage(obj).items()}


def charge(one: JsonObject, attributes: Attributes) -> dict[str, str]:
    """Return the quota's usage after a write; empty when it does not change."""
    found = charged([one], attributes, measure_of(attributes.resource, lambda: 0.0))
    return found[0]["status"]["used"] if found else {}


def test_a_pod_counts_for_what_it_asks() -> None:
    """Requests stand under their bare name too, extended resources under requests only."""
    found = used(PODS, pod({"cpu": "500m", "memory": "1Gi", "example.com/gpu": "2"}, {"cpu": "1"}))
    assert found == {
        "count/pods": "1",
        "pods": "1",
        "cpu": "500m",
        "requests.cpu": "500m",
        "memory": "1Gi",
        "requests.memory": "1Gi",
        "limits.cpu": "1",
        "requests.example.com/gpu": "2",
    }


def test_init_containers_and_sidecars() -> None:
    """An init container counts where it asks for more than all that run later; sidecars run beside the rest."""
    one = pod({"cpu": "1"})
    one["spec"]["initContainers"] = [
        {"name": "side", "restartPolicy": "Always", "resources": {"requests": {"cpu": "2"}}},
        {"name": "init", "resources": {"requests": {"cpu": "5"}}},
    ]
    assert used(PODS, one)["cpu"] == "7"
    one["spec"]["overhead"] = {"cpu": "250m"}
    assert used(PODS, one)["cpu"] == "7250m"


def test_a_pod_that_ended_is_only_an_object() -> None:
    """Succeeded and failed pods use nothing."""
    assert used(PODS, {**pod({"cpu": "1"}), "status": {"phase": "Succeeded"}}) == {"count/pods": "1"}


@pytest.mark.parametrize(
    ("obj", "ports", "balancers"),
    [
        (service("ClusterIP"), "0", "0"),
        (service("NodePort", 2), "2", "0"),
        (service("LoadBalancer"), "1", "1"),
        (service("LoadBalancer", allocateLoadBalancerNodePorts=False), "0", "1"),
    ],
)
def test_services(obj: JsonObject, ports: str, balancers: str) -> None:
    """Node ports are counted by intent: they are given out later."""
    found = used(SERVICES, obj)
    assert (found["services.nodeports"], found["services.loadbalancers"]) == (ports, balancers)


def test_claims_count_by_storage_class() -> None:
    """Storage is counted in whole bytes, altogether and for its class."""
    found = used(CLAIMS, claim("1500m", "gold"))
    assert found["requests.storage"] == "2"
    assert found["gold.storageclass.storage.k8s.io/requests.storage"] == "2"
    assert found["gold.storageclass.storage.k8s.io/persistentvolumeclaims"] == "1"


def test_objects_are_counted() -> None:
    """Every kind counts by its name; a few have an older one too."""
    assert set(used(CONFIG_MAPS, {})) == {"count/configmaps", "configmaps"}
    assert set(used(DEPLOYMENTS, {})) == {"count/deployments.apps"}


def test_what_exceeds_is_refused() -> None:
    """The text names what is too much only."""
    one = quota({"cpu": "1", "pods": "5"}, {"cpu": "750m", "pods": "1"})
    with pytest.raises(Forbidden) as caught:
        charge(one, creating(PODS, pod({"cpu": "500m"})))
    assert caught.value.message == (
        'pods "p" is forbidden: exceeded quota: q, requested: cpu=500m, used: cpu=750m, limited: cpu=1'
    )


def test_what_fits_is_counted() -> None:
    """Names the quota does not limit are left out."""
    one = quota({"cpu": "1", "pods": "5"}, {"cpu": "250m", "pods": "1"})
    assert charge(one, creating(PODS, pod({"cpu": "500m", "memory": "1"}))) == {"cpu": "750m", "pods": "2"}
    assert one["status"]["used"]["cpu"] == "250m"


def test_containers_must_say() -> None:
    """A quota for CPU or memory wants every container to name an amount."""
    with pytest.raises(Forbidden, match=r"failed quota: q: must specify cpu for: c; requests\.memory for: c$"):
        charge(quota({"cpu": "1", "requests.memory": "1Gi"}), creating(PODS, pod()))


def test_an_uncounted_quota_lets_nothing_in() -> None:
    """Until the controller has counted, nobody knows."""
    with pytest.raises(Forbidden, match=r"status unknown for quota: q, resources: pods$"):
        charge(quota({"pods": "1"}, {}), creating(PODS, pod()))


def test_scopes() -> None:
    """All scopes of a quota must hold for it to count a pod."""
    one = quota({"pods": "5"}, scopes=["BestEffort", "NotTerminating"])
    assert charge(one, creating(PODS, pod())) == {"pods": "1"}
    assert charge(one, creating(PODS, pod({"cpu": "1"}))) == {}
    assert charge(one, creating(PODS, pod(activeDeadlineSeconds=3))) == {}
    by_class = {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]}
    one = quota({"pods": "5"}, scopeSelector=by_class)
    assert charge(one, creating(PODS, pod(priorityClassName="high"))) == {"pods": "1"}
    assert charge(one, creating(PODS, pod())) == {}


def test_an_update_counts_for_what_it_adds() -> None:
    """A larger claim is charged the difference; a smaller one gives nothing back before the controller counts."""
    one = quota(
        {"requests.storage": "10Gi", "persistentvolumeclaims": "1"},
        {"requests.storage": "2Gi", "persistentvolumeclaims": "1"},
    )
    assert charge(one, creating(CLAIMS, claim("5Gi"), claim("2Gi")))["requests.storage"] == "5Gi"
    assert charge(one, creating(CLAIMS, claim("1Gi"), claim("2Gi"))) == {}


async def test_many_at_once_never_exceed() -> None:
    """Of twenty concurrent creates as many pass as the quota allows, and the usage says so."""
    async with in_process() as api:
        created = await api.registry.create(QUOTAS, "root", quota({"configmaps": "7"}))
        await api.registry.update(
            QUOTAS,
            "root",
            {**created, "status": {"hard": {"configmaps": "7"}, "used": {"configmaps": "2"}}},
            subresource="status",
        )
        plugin = ResourceQuotas(api.store, QUOTAS)
        writes = [creating(CONFIG_MAPS, {"metadata": {"name": f"m{number}"}}) for number in range(20)]
        found = await asyncio.gather(*(plugin.validate(one) for one in writes), return_exceptions=True)
        assert sum(one is None for one in found) == 5
        assert all(one is None or isinstance(one, Forbidden) for one in found)
        stored = await api.registry.get(QUOTAS, "root", "default", "q")
        assert stored["status"]["used"] == {"configmaps": "7"}


async def test_what_is_refused_anyway_or_tried_only_is_not_counted() -> None:
    """A taken name and a dry run leave the usage as it is."""
    async with in_process() as api:
        created = await api.registry.create(QUOTAS, "root", quota({"configmaps": "7"}))
        status = {"hard": {"configmaps": "7"}, "used": {"configmaps": "2"}}
        await api.registry.update(QUOTAS, "root", {**created, "status": status}, subresource="status")
        taken = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m", "namespace": "default"}}
        await api.registry.create(CONFIG_MAPS, "root", taken)
        plugin = ResourceQuotas(api.store, QUOTAS)
        await plugin.validate(creating(CONFIG_MAPS, taken))
        dry = creating(CONFIG_MAPS, {"metadata": {"name": "other"}})
        dry.dry_run = True
        await plugin.validate(dry)
        stored = await api.registry.get(QUOTAS, "root", "default", "q")
        assert stored["status"] == status
