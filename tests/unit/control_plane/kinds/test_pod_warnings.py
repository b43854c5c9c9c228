"""What Kubernetes accepts in pods and warns of."""

from __future__ import annotations

from typing import Any

import pytest

from fairlead_api import JsonObject
from tests.unit.control_plane.kinds.making import new, strategy_of

_C = "spec.containers[0]"


def _warnings(spec: JsonObject, **metadata: Any) -> list[str]:
    full = {"containers": [{"name": "web", "image": "web"}], **spec}
    pod = new("", "pods", full, metadata={"name": "it", "namespace": "here", "uid": "u", **metadata})
    warn = strategy_of("", "pods").warn
    assert warn is not None
    return list(warn(pod, None))


def _container(**fields: Any) -> JsonObject:
    return {"containers": [{"name": "web", "image": "web", **fields}]}


@pytest.mark.parametrize(
    ("spec", "warnings"),
    [
        ({}, []),
        (
            _container(ports=[{"name": "a", "containerPort": 80, "hostIP": "1.2.3.4"}]),
            [
                f"{_C}.ports[0]: hostIP set without hostPort: "
                "{Name:a HostPort:0 ContainerPort:80 Protocol:TCP HostIP:1.2.3.4}"
            ],
        ),
        (
            _container(ports=[{"containerPort": 80}, {"containerPort": 80, "hostPort": 8080}]),
            [f"{_C}.ports[1]: overlapping port definition with {_C}.ports[0]"],
        ),
        (
            _container(env=[{"name": "A", "value": "1"}, {"name": "A", "value": "$(A)2"}, {"name": "A", "value": "3"}]),
            [f'{_C}.env[2]: hides previous definition of "A", which may be dropped when using apply'],
        ),
        (
            _container(resources={"limits": {"memory": "100m"}}),
            [
                f'{_C}.resources.limits[memory]: fractional byte value "100m" is invalid, must be an integer',
                f'{_C}.resources.requests[memory]: fractional byte value "100m" is invalid, must be an integer',
            ],
        ),
        (
            {"nodeSelector": {"beta.kubernetes.io/os": "linux"}},
            ['spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead'],
        ),
        (
            {"volumes": [{"name": "v", "rbd": {"monitors": ["a"], "image": "b"}}]},
            ["spec.volumes[0].rbd: deprecated in v1.28, non-functional in v1.31+"],
        ),
        (
            {
                "volumes": [
                    {
                        "name": "v",
                        "projected": {
                            "sources": [
                                {"serviceAccountToken": {"path": "a/b"}},
                                {"configMap": {"name": "c", "items": [{"key": "k", "path": "a"}]}},
                                {},
                            ]
                        },
                    }
                ]
            },
            [
                'volume "v" (Projected): overlapping paths: "a" (ConfigMap "c") with "a/b" (ServiceAccountToken)',
                'volume "v" (Projected) has no sources provided',
            ],
        ),
        ({"imagePullSecrets": [{}]}, ['spec.imagePullSecrets[0].name: invalid empty name ""']),
        (
            {"terminationGracePeriodSeconds": -1},
            ["spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1"],
        ),
        (
            {"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "a", "whenUnsatisfiable": "DoNotSchedule"}]},
            ["spec.topologySpreadConstraints[0].labelSelector: a null labelSelector results in matching no pod"],
        ),
        (
            {"dnsConfig": {"nameservers": ["1:2:0:0:0:0:0:8"]}},
            [
                'spec.dnsConfig.nameservers[0]: IPv6 address "1:2:0:0:0:0:0:8" '
                'should be in RFC 5952 canonical format ("1:2::8")'
            ],
        ),
    ],
)
def test_pods_are_warned_of(spec: JsonObject, warnings: list[str]) -> None:
    """In Kubernetes' words."""
    assert _warnings(spec) == warnings


def test_names_and_annotations_are_warned_of() -> None:
    """A name that is no label, and an annotation that says nothing any more."""
    (name, annotation) = _warnings({}, name="a.b", annotations={"scheduler.alpha.kubernetes.io/critical-pod": ""})
    assert name.startswith(
        "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; "
        "a DNS label is recommended: [must not contain dots"
    )
    assert annotation == (
        "metadata.annotations[scheduler.alpha.kubernetes.io/critical-pod]: "
        'non-functional in v1.16+; use the "priorityClassName" field instead'
    )


def test_templates_are_warned_of_when_they_change() -> None:
    """Below their own path."""
    template = {
        "metadata": {"labels": {"a": "b"}},
        "spec": {"containers": [{"name": "a", "image": "b"}], "imagePullSecrets": [{}]},
    }
    obj = new("apps", "deployments", {"selector": {"matchLabels": {"a": "b"}}, "template": template})
    warn = strategy_of("apps", "deployments").warn
    assert warn is not None
    texts = ['spec.template.spec.imagePullSecrets[0].name: invalid empty name ""']
    assert list(warn(obj, None)) == texts
    later = {**obj, "metadata": {**obj["metadata"], "generation": 2}}
    assert list(warn(later, obj)) == texts
    assert list(warn(obj, obj)) == []
