"""PodSecurity: which pods a namespace lets in, in Kubernetes' words."""

from __future__ import annotations

import pytest

from fairlead_api import JsonObject
from fairlead_api.errors import Forbidden, Invalid
from fairlead_api.request import SYSTEM
from fairlead_control_plane.admission.contract import Attributes
from fairlead_control_plane.admission.pod_security import PodSecurity, standards
from fairlead_control_plane.kinds.reader import put
from tests.support.pod_specs import RESTRICTED, bare
from tests.unit.control_plane.in_process import NAMESPACES, in_process, known

PODS, DEPLOYMENTS = known("", "pods"), known("apps", "deployments")
LABEL = "pod-security.kubernetes.io/"


def write(obj: JsonObject, old: JsonObject | None = None, kind: str = "pods") -> Attributes:
    """Return a create or an update."""
    resource = {"pods": PODS, "namespaces": NAMESPACES, "deployments": DEPLOYMENTS}[kind]
    name = obj["metadata"]["name"]
    place = "ns" if resource.namespaced else name
    operation = "CREATE" if old is None else "UPDATE"
    return Attributes(operation, resource, "v1", "root", place, name, "", SYSTEM, obj, old)


def test_labels() -> None:
    """Warnings follow what is enforced; bad labels are told."""
    found, causes = standards({LABEL + "enforce": "baseline", LABEL + "enforce-version": "v1.25"})
    assert (str(found["enforce"]), str(found["warn"]), str(found["audit"])) == (
        "baseline:v1.25",
        "baseline:v1.25",
        "privileged:latest",
    )
    assert causes == []
    _, causes = standards({LABEL + "enforce": "x", LABEL + "warn-version": "1"})
    assert [one.field for one in causes] == [
        f"metadata.labels[{LABEL}enforce]",
        f"metadata.labels[{LABEL}warn-version]",
    ]


async def test_a_namespace_holds_its_pods_to_its_level() -> None:
    """Pods are refused, what makes pods is warned of, and tightening names who would not come in again."""
    async with in_process() as api:
        labels = {LABEL + "enforce": "baseline"}
        namespace: JsonObject = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ns", "labels": labels}}
        await api.store.commit([put(NAMESPACES, "root", namespace)])
        plugin = PodSecurity(api.store, NAMESPACES, PODS)
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "ns"}}
        with pytest.raises(Forbidden) as caught:
            await plugin.validate(write({**pod, "spec": bare(hostPID=True)}))
        text = 'pods "p" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostPID=true)'
        assert caught.value.message == text
        await plugin.validate(write({**pod, "spec": bare()}))
        template = {"spec": {"template": {"spec": bare(hostPID=True)}}}
        attributes = write({"metadata": {"name": "d"}, **template}, kind="deployments")
        await plugin.validate(attributes)
        assert attributes.warnings == ['would violate PodSecurity "baseline:latest": host namespaces (hostPID=true)']
        await api.store.commit([put(PODS, "root", {**pod, "spec": {**RESTRICTED, "hostPID": True}})])
        stricter = {**namespace, "metadata": {"name": "ns", "labels": {LABEL + "enforce": "restricted"}}}
        attributes = write(stricter, namespace, "namespaces")
        await plugin.validate(attributes)
        assert attributes.warnings == [
            'existing pods in namespace "ns" violate the new PodSecurity enforce level "restricted:latest"',
            "p: host namespaces",
        ]
        with pytest.raises(Invalid):
            await plugin.validate(
                write({"metadata": {"name": "n", "labels": {LABEL + "warn": "x"}}}, None, "namespaces")
            )
