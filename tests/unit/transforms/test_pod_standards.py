"""Pod Security Standards: what pods of each level may not have, in Kubernetes' words."""

from __future__ import annotations

import pytest

from fairlead_api import JsonObject
from fairlead_transforms.pod_standards import LATEST, faults
from tests.support.pod_specs import RESTRICTED, bare


@pytest.mark.parametrize(
    ("spec", "reason", "detail"),
    [
        (bare(hostNetwork=True, hostIPC=True), "host namespaces", "hostNetwork=true, hostIPC=true"),
        (bare({"privileged": True}), "privileged", 'container "c" must not set securityContext.privileged=true'),
        (
            bare({"capabilities": {"add": ["NET_RAW", "BPF", "CHOWN"]}}),
            "non-default capabilities",
            'container "c" must not include "BPF", "NET_RAW" in securityContext.capabilities.add',
        ),
        (bare(volumes=[{"name": "v", "hostPath": {"path": "/"}}]), "hostPath volumes", 'volume "v"'),
        (
            bare(securityContext={"seccompProfile": {"type": "Unconfined"}}),
            "seccompProfile",
            'pod must not set securityContext.seccompProfile.type to "Unconfined"',
        ),
        (bare(securityContext={"sysctls": [{"name": "a.b", "value": "1"}]}), "forbidden sysctls", "a.b"),
        (
            bare({"seLinuxOptions": {"type": "x", "user": "y"}}),
            "seLinuxOptions",
            'container "c" set forbidden securityContext.seLinuxOptions: type "x"; user may not be set',
        ),
    ],
)
def test_baseline(spec: JsonObject, reason: str, detail: str) -> None:
    """What gives a pod power over its node."""
    assert faults("baseline", LATEST, {}, spec) == [(reason, detail)]
    assert faults("privileged", LATEST, {}, spec) == []


def test_restricted() -> None:
    """All that a careless pod leaves out."""
    assert faults("restricted", LATEST, {}, RESTRICTED) == []
    assert [reason for reason, _ in faults("restricted", LATEST, {}, bare())] == [
        "allowPrivilegeEscalation != false",
        "unrestricted capabilities",
        "runAsNonRoot != true",
        "seccompProfile",
    ]


def test_host_ports() -> None:
    """Ports are listed once, sorted."""
    spec = bare()
    spec["containers"][0]["ports"] = [{"hostPort": 80}, {"hostPort": 443}]
    assert faults("baseline", LATEST, {}, spec) == [("hostPort", 'container "c" uses hostPorts 443, 80')]


def test_versions() -> None:
    """An older version of a level forbids what it did then."""
    spec = bare(securityContext={"sysctls": [{"name": "net.ipv4.tcp_rmem", "value": "1"}]})
    assert faults("baseline", 31, {}, spec)
    assert not faults("baseline", 32, {}, spec)
