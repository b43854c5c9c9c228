"""What a pod's spec may say, in Kubernetes' words."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from fairlead_api import JsonObject
from fairlead_api.quantity import WRONG_FORMAT, WRONG_SUFFIX
from fairlead_control_plane.kinds.builtin import builtin_resource
from fairlead_control_plane.kinds.strategies.resources import quality_of_service
from tests.unit.control_plane.kinds.making import changed, new, wrong_change, wrong_status, wrong_with

_POD: JsonObject = {"containers": [{"name": "web", "image": "web"}], "serviceAccountName": "default"}
_VOLUME = "spec.volumes[0]"
_C = "spec.containers[0]"


def _pod(**spec: Any) -> JsonObject:
    return new("", "pods", {**_POD, **spec})


def _container(**fields: Any) -> JsonObject:
    return {"containers": [{"name": "web", "image": "web", **fields}]}


def _volume(**source: Any) -> JsonObject:
    return {"volumes": [{"name": "v", **source}]}


def _node_term(**term: Any) -> JsonObject:
    required = {"nodeSelectorTerms": [term]}
    return {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}}


def test_a_plain_pod_is_fine() -> None:
    """A pod with little in it has nothing wrong."""
    assert wrong_with("", "pods", _pod()) == []


@pytest.mark.parametrize(
    ("spec", "causes"),
    [
        (
            _container(securityContext={"runAsUser": -1, "procMount": "Unmasked"}),
            [
                (f"{_C}.securityContext.runAsUser", "Invalid", "-1: must be between 0 and 2147483647, inclusive"),
                (
                    f"{_C}.securityContext.procMount",
                    "Invalid",
                    '"Unmasked": `hostUsers` must be false to use `Unmasked`',
                ),
            ],
        ),
        (
            {"securityContext": {"fsGroupChangePolicy": "Never", "seccompProfile": {"type": "Localhost"}}},
            [
                (
                    "spec.securityContext.fsGroupChangePolicy",
                    "NotSupported",
                    '"Never": supported values: "Always", "OnRootMismatch"',
                ),
                (
                    "spec.securityContext.seccompProfile.localhostProfile",
                    "Required",
                    "must be set when seccomp type is Localhost",
                ),
            ],
        ),
        (
            {"hostNetwork": True, "securityContext": {"sysctls": [{"name": "net/ipv4/x", "value": "1"}]}},
            [
                (
                    "spec.securityContext.sysctls[0].name",
                    "Invalid",
                    "\"net/ipv4/x\": may not be specified when 'hostNetwork' is true",
                )
            ],
        ),
        (
            _node_term(matchExpressions=[{"key": "a", "operator": "Gt", "values": []}]),
            [
                (
                    "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"
                    ".nodeSelectorTerms[0].matchExpressions[0].values",
                    "Required",
                    "must be specified single value when `operator` is 'Lt' or 'Gt'",
                )
            ],
        ),
        (
            _node_term(matchFields=[{"key": "metadata.uid", "operator": "In", "values": ["a"]}]),
            [
                (
                    "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"
                    ".nodeSelectorTerms[0].matchFields[0].key",
                    "Invalid",
                    '"metadata.uid": not a valid field selector key',
                )
            ],
        ),
        (
            {
                "topologySpreadConstraints": [
                    {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "minDomains": 2}
                ]
            },
            [
                (
                    "spec.topologySpreadConstraints[0].minDomains",
                    "Invalid",
                    "2: can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway",
                )
            ],
        ),
        (
            _volume(iscsi={"targetPortal": "p", "iqn": "other", "lun": 300}),
            [
                (f"{_VOLUME}.iscsi.iqn", "Invalid", '"other": must be valid format starting with iqn, eui, or naa'),
                (f"{_VOLUME}.iscsi.lun", "Invalid", "300: must be between 0 and 255, inclusive"),
            ],
        ),
        (_volume(gcePersistentDisk={"pdName": ""}), [(f"{_VOLUME}.persistentDisk.pdName", "Required", "")]),
        (
            _volume(emptyDir={}, downwardAPI={}),
            [(f"{_VOLUME}.downwarAPI", "Forbidden", "may not specify more than 1 volume type")],
        ),
        (
            _volume(projected={"sources": [{"secret": {"name": "s"}, "configMap": {"name": "c"}}]}),
            [
                (
                    f"{_VOLUME}.projected.sources[0]",
                    "Forbidden",
                    "may not specify more than 1 volume type per source",
                )
            ],
        ),
        (
            _volume(ephemeral={"volumeClaimTemplate": {"metadata": {"name": "x"}, "spec": {"accessModes": ["Some"]}}}),
            [
                (f"{_VOLUME}.ephemeral.volumeClaimTemplate.metadata.name", "Forbidden", "cannot be set"),
                (
                    f"{_VOLUME}.ephemeral.volumeClaimTemplate.spec.accessModes",
                    "NotSupported",
                    '"Some": supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"',
                ),
                (f"{_VOLUME}.ephemeral.volumeClaimTemplate.spec.resources[storage]", "Required", ""),
            ],
        ),
        (
            {**_container(volumeDevices=[{"name": "v", "devicePath": "/a/../b"}]), **_volume(emptyDir={})},
            [
                (
                    f"{_C}.volumeDevices[0].name",
                    "Invalid",
                    '"v": can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode',
                ),
                (f"{_C}.volumeDevices[0].devicePath", "Invalid", "\"/a/../b\": can not contain backsteps ('..')"),
            ],
        ),
        (
            _container(resources={"claims": [{"name": "gpu"}]}),
            [
                (
                    f"{_C}.resources.claims[0]",
                    "NotFound",
                    '"gpu": must be one of the names in pod.spec.resourceClaims which is empty',
                )
            ],
        ),
        (
            _container(resources={"limits": {"hugepages-2Mi": "3Mi"}}),
            [
                (
                    f"{_C}.resources.limits[hugepages-2Mi]",
                    "Invalid",
                    '"3Mi": 3Mi is not positive integer multiple of hugepages-2Mi',
                ),
                (
                    f"{_C}.resources.requests[hugepages-2Mi]",
                    "Invalid",
                    '"3Mi": 3Mi is not positive integer multiple of hugepages-2Mi',
                ),
                (f"{_C}.resources", "Forbidden", "HugePages require cpu or memory"),
            ],
        ),
        (
            {"resourceClaims": [{"name": "a"}]},
            [
                (
                    "spec.resourceClaims[0]",
                    "Invalid",
                    '{"Name":"a","ResourceClaimName":null,"ResourceClaimTemplateName":null}: '
                    "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`",
                )
            ],
        ),
        (
            {"tolerations": [{"key": "a", "operator": "Gt", "value": "1"}]},
            [
                (
                    "spec.tolerations[0].operator",
                    "NotSupported",
                    '"Gt": supported values: "Equal", "Exists", "Lt", "Gt"',
                )
            ],
        ),
        (
            {"dnsConfig": {"nameservers": ["010.1.1.1", "::ffff:1.2.3.4"], "searches": ["_a.b.", "-"]}},
            [
                ("spec.dnsConfig.nameservers[0]", "Invalid", '"010.1.1.1": must not have leading 0s'),
                (
                    "spec.dnsConfig.nameservers[1]",
                    "Invalid",
                    '"::ffff:1.2.3.4": must not be an IPv4-mapped IPv6 address',
                ),
                (
                    "spec.dnsConfig.searches[1]",
                    "Invalid",
                    "\"-\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', "
                    "'-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
                    "for validation is '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')",
                ),
            ],
        ),
        (
            {"os": {"name": "windows"}, "hostPID": True, "securityContext": {"runAsUser": 1}},
            [
                ("spec.securityContext.runAsUser", "Forbidden", "cannot be set for a windows pod"),
                ("spec.hostPID", "Forbidden", "cannot be set for a windows pod"),
            ],
        ),
        (
            {"hostUsers": False, "hostNetwork": True, "hostIPC": True},
            [
                ("spec.hostNetwork", "Forbidden", "when `hostUsers` is false"),
                ("spec.HostIPC", "Forbidden", "when `hostUsers` is false"),
            ],
        ),
        (
            {"hostnameOverride": "a", "setHostnameAsFQDN": True},
            [("spec.hostnameOverride", "Forbidden", "may not be specified when setHostnameAsFQDN is true")],
        ),
        (
            {"initContainers": [{"name": "i", "image": "i", "lifecycle": {"preStop": {"exec": {"command": ["a"]}}}}]},
            [
                (
                    "spec.initContainers[0].lifecycle",
                    "Forbidden",
                    "may not be set for init containers without restartPolicy=Always",
                )
            ],
        ),
        (
            _container(restartPolicyRules=[{"action": "Restart"}]),
            [
                (f"{_C}.restartPolicy", "Required", "must specify restartPolicy when restart rules are used"),
                (f"{_C}.restartPolicyRules[0].exitCodes", "Required", "must be specified"),
            ],
        ),
        (
            {"nodeName": "n", "schedulingGates": [{"name": "a.b/c"}]},
            [("spec.nodeName", "Forbidden", "cannot be set until all schedulingGates have been cleared")],
        ),
        (
            {"ephemeralContainers": [{"name": "e", "image": "e", "ports": [{"containerPort": 1, "protocol": "TCP"}]}]},
            [
                ("spec.ephemeralContainers[0].ports", "Forbidden", "cannot be set for an Ephemeral Container"),
                ("spec.ephemeralContainers", "Forbidden", "cannot be set on create"),
            ],
        ),
        (
            _container(env=[{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "cpu", "divisor": "3"}}}]),
            [
                (
                    f"{_C}.env[0].valueFrom.resourceFieldRef.resource",
                    "NotSupported",
                    '"cpu": supported values: "limits.cpu", "limits.ephemeral-storage", "limits.memory", '
                    '"requests.cpu", "requests.ephemeral-storage", "requests.memory"',
                )
            ],
        ),
        (
            _container(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name['a']"}}}]),
            [
                (
                    f"{_C}.env[0].valueFrom.fieldRef.fieldPath",
                    "Invalid",
                    "\"metadata.name['a']\": error converting fieldPath: "
                    "field label does not support subscript: metadata.name['a']",
                )
            ],
        ),
        (
            {"resources": {"requests": {"cpu": "1"}}, **_container(resources={"requests": {"cpu": "2"}})},
            [
                (
                    "spec.resources.requests[cpu]",
                    "Invalid",
                    '"1": must be greater than or equal to aggregate container requests of 2',
                )
            ],
        ),
    ],
)
def test_specs_are_refused_in_kubernetes_words(spec: JsonObject, causes: list[tuple[str, str, str]]) -> None:
    """Field, reason and message of each cause."""
    titles = {"Invalid": "Invalid value: ", "NotSupported": "Unsupported value: ", "NotFound": "Not found: "}
    plain = {"Required": "Required value", "Forbidden": "Forbidden"}
    expected = []
    for field, reason, text in causes:
        start = titles.get(reason) or plain[reason] + (": " if text else "")
        expected.append((field, reason, start + text))
    assert wrong_with("", "pods", _pod(**spec)) == expected


@pytest.mark.parametrize(
    ("edit", "field", "text"),
    [
        (
            {"activeDeadlineSeconds": 9},
            "spec.activeDeadlineSeconds",
            "Invalid value: 9: must be less than or equal to previous value",
        ),
        (
            {"tolerations": []},
            "spec.tolerations",
            "Forbidden: existing toleration can not be modified except its tolerationSeconds",
        ),
        (
            {"schedulingGates": [{"name": "c.d/e"}]},
            "spec.schedulingGates[0].name",
            "Forbidden: only deletion is allowed, but found new scheduling gate 'c.d/e'",
        ),
        (
            {"nodeSelector": {"a": "other"}},
            "spec.nodeSelector",
            'Invalid value: {"a":"other"}: only additions to spec.nodeSelector are allowed (no mutations or deletions)',
        ),
    ],
)
def test_a_pod_takes_few_changes(edit: JsonObject, field: str, text: str) -> None:
    """Each has its own words."""
    old = _pod(
        activeDeadlineSeconds=5,
        tolerations=[{"key": "a", "operator": "Exists"}],
        schedulingGates=[{"name": "a.b/c"}],
        nodeSelector={"a": "b"},
    )
    found = wrong_change("", "pods", changed("", "pods", old, edit), old)
    assert [(where, message) for where, _, message in found] == [(field, text)]


def test_a_gated_pod_may_be_narrowed() -> None:
    """More may be asked of its node, and the gate may go."""
    old = _pod(schedulingGates=[{"name": "a.b/c"}], nodeSelector={"a": "b"})
    affinity = _node_term(matchExpressions=[{"key": "a", "operator": "Exists"}])["affinity"]
    new_pod = changed("", "pods", old, {"nodeSelector": {"c": "d"}, "affinity": affinity, "schedulingGates": None})
    assert wrong_change("", "pods", new_pod, old) == []


def test_other_changes_are_shown_as_a_diff_of_the_internal_struct() -> None:
    """The names are Go's, and three lines stand around each change."""
    old = _pod(hostname="one")
    ((field, reason, text),) = wrong_change("", "pods", changed("", "pods", old, {"hostname": "two"}), old)
    assert (field, reason) == ("spec", "Forbidden")
    start, _, diff = text.partition("\n")
    assert start.startswith("Forbidden: pod updates may not change fields other than `spec.containers[*].image`,")
    assert diff.splitlines()[4:6] == ['- "Hostname": "one",', '+ "Hostname": "two",']


def test_a_pod_that_waits_says_since_when() -> None:
    """Its gates are told of in a condition."""
    pod = _pod(schedulingGates=[{"name": "a.b/c"}])
    (condition,) = pod["status"]["conditions"]
    assert (condition["reason"], condition["lastTransitionTime"]) == ("SchedulingGated", "2026-01-02T03:04:05Z")


def test_labels_named_by_terms_are_written_into_them() -> None:
    """What matchLabelKeys names is matched by what the pod has."""
    term = {
        "topologyKey": "zone",
        "labelSelector": {"matchLabels": {"a": "b"}},
        "matchLabelKeys": ["app"],
        "mismatchLabelKeys": ["tier", "none"],
    }
    affinity = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    labels = {"app": "web", "tier": "gold"}
    metadata = {"name": "it", "namespace": "here", "uid": "u", "labels": labels}
    pod = new("", "pods", {**_POD, "affinity": affinity}, metadata=metadata)
    found = pod["spec"]["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][0]
    assert found["labelSelector"]["matchExpressions"] == [
        {"key": "app", "operator": "In", "values": ["web"]},
        {"key": "tier", "operator": "NotIn", "values": ["gold"]},
    ]


def test_quality_follows_the_whole_pods_resources() -> None:
    """They stand in for the containers'."""
    whole = {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}}
    assert quality_of_service({"resources": whole, "containers": [{}]}) == "Guaranteed"
    assert quality_of_service({"resources": {"requests": {"cpu": "1"}}, "containers": [{}]}) == "Burstable"


@pytest.mark.parametrize(
    ("status", "causes"),
    [
        (
            {"podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}]},
            [
                (
                    "status.podIPs",
                    "Invalid",
                    'Invalid value: [{"IP":"10.0.0.1"},{"IP":"10.0.0.2"}]: '
                    "may specify no more than one IP for each IP family",
                )
            ],
        ),
        (
            {"hostIP": "10.0.0.1", "hostIPs": [{"ip": "10.0.0.2"}]},
            [("status.hostIPs[0].ip", "Invalid", 'Invalid value: "10.0.0.2": must be equal to `hostIP`')],
        ),
        (
            {"qosClass": "Guaranteed"},
            [("status.qosClass", "Invalid", 'Invalid value: "Guaranteed": field is immutable')],
        ),
        (
            {"containerStatuses": [{"name": "web", "state": {"running": {}}}]},
            [
                (
                    "status.containerStatuses[0].state",
                    "Forbidden",
                    "Forbidden: may not be transitioned to non-terminated state",
                )
            ],
        ),
        (
            {"resourceClaimStatuses": [{"name": "a"}]},
            [
                (
                    "status.resourceClaimStatuses[0].name",
                    "Invalid",
                    'Invalid value: "a": must match the name of an entry in `spec.resourceClaims`',
                )
            ],
        ),
    ],
)
def test_statuses_are_refused_in_kubernetes_words(status: JsonObject, causes: list[tuple[str, str, str]]) -> None:
    """A container that ended for good does not run again, among others."""
    old = _pod(restartPolicy="Never")
    ended = {"name": "web", "state": {"terminated": {"exitCode": 0}}}
    old["status"]["containerStatuses"] = [ended]
    _, found = wrong_status("", "pods", old, {"containerStatuses": [copy.deepcopy(ended)], **status})
    assert found == causes


def test_a_status_keeps_what_it_leaves_out() -> None:
    """Its class, and the generations that were seen."""
    old = _pod()
    old["status"]["conditions"] = [{"type": "Ready", "status": "True", "observedGeneration": 3}]
    obj, causes = wrong_status("", "pods", old, {"conditions": [{"type": "Ready", "status": "False"}], "podIP": "::1"})
    assert causes == []
    assert obj["status"]["qosClass"] == "BestEffort"
    assert obj["status"]["podIPs"] == [{"ip": "::1"}]
    assert obj["status"]["conditions"][0]["observedGeneration"] == 3


def test_amounts_are_rounded_up_to_thousandths() -> None:
    """Whatever is so small, wherever it is asked for."""
    pod = _pod(**_container(resources={"limits": {"cpu": "100u", "memory": "1Gi"}}), overhead={"cpu": "0.0015"})
    resources = {"cpu": "1m", "memory": "1Gi"}
    assert pod["spec"]["containers"][0]["resources"] == {"limits": resources, "requests": resources}
    assert pod["spec"]["overhead"] == {"cpu": "2m"}


@pytest.mark.parametrize(
    ("amount", "problem"),
    [("1.5Gi", None), (5, None), ("10.0.0.1", WRONG_FORMAT), (True, WRONG_FORMAT), ("1e", WRONG_SUFFIX)],
)
def test_amounts_are_read_as_a_body_is(amount: object, problem: str | None) -> None:
    """What is no quantity at all is none of the rules' business."""
    pods = builtin_resource("", "pods")
    assert pods is not None
    body = {"metadata": {}, "spec": {"resources": {"limits": {"cpu": amount}}}}
    assert pods.storage_version.schema().typed_errors(body) == problem
