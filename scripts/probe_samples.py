"""Objects that make a server show its defaults: as little as each kind allows, every optional part once."""

from __future__ import annotations

from typing import Any

_META = {"name": "sample", "namespace": "default"}
_LABELS = {"app": "sample"}
_PROBES: list[dict[str, Any]] = [
    {"httpGet": {"port": 80}},
    {"tcpSocket": {"port": 80}},
    {"grpc": {"port": 80}},
]
_SECRET_REF = {"name": "s"}
_VOLUMES: list[dict[str, Any]] = [
    {"hostPath": {"path": "/x"}},
    {"secret": {"secretName": "s", "items": [{"key": "a", "path": "a"}]}},
    {"configMap": {"name": "c", "items": [{"key": "a", "path": "a"}]}},
    {"emptyDir": {}},
    {"downwardAPI": {"items": [{"path": "a", "fieldRef": {"fieldPath": "metadata.name"}}]}},
    {
        "projected": {
            "sources": [
                {"serviceAccountToken": {"path": "t"}},
                {"downwardAPI": {"items": [{"path": "a", "fieldRef": {"fieldPath": "metadata.name"}}]}},
                {"configMap": {"name": "c"}},
                {"secret": {"name": "s"}},
            ]
        }
    },
    {"iscsi": {"targetPortal": "1.2.3.4", "iqn": "iqn.2001-04.com.example:a", "lun": 0}},
    {"rbd": {"monitors": ["a"], "image": "i"}},
    {"azureDisk": {"diskName": "d", "diskURI": "https://blob/d"}},
    {"scaleIO": {"gateway": "g", "system": "s", "secretRef": _SECRET_REF, "volumeName": "v"}},
    {"persistentVolumeClaim": {"claimName": "c"}},
    {"nfs": {"server": "s", "path": "/p"}},
    {"csi": {"driver": "d.example.com"}},
    {
        "ephemeral": {
            "volumeClaimTemplate": {
                "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
            }
        }
    },
    {"image": {"reference": "a:1"}},
]


def _container(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "image": "nginx:1.27", **more}


def pod_spec(**more: Any) -> dict[str, Any]:
    """Return a pod spec with every kind of volume, probe, port and variable."""
    env = [
        {"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "B", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
        {"name": "C", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        {"name": "D", "valueFrom": {"configMapKeyRef": {"name": "s", "key": "k"}}},
    ]
    hooks = {"postStart": {"httpGet": {"port": 80}}, "preStop": {"exec": {"command": ["a"]}}}
    containers = [
        _container(f"c{index}", livenessProbe=probe, readinessProbe=probe, startupProbe=probe)
        for index, probe in enumerate(_PROBES)
    ]
    containers[0].update({"ports": [{"containerPort": 80}], "env": env, "lifecycle": hooks, "securityContext": {}})
    spread = {"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}}
    return {
        "containers": containers,
        "initContainers": [_container("i")],
        "volumes": [{"name": f"v{index}", **source} for index, source in enumerate(_VOLUMES)],
        "topologySpreadConstraints": [spread],
        **more,
    }


def _minimal_pod(**more: Any) -> dict[str, Any]:
    return {"containers": [_container("c")], **more}


def _template(spec: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"labels": dict(_LABELS)}, "spec": spec}


def _workload(api: str, kind: str, **spec: Any) -> dict[str, Any]:
    body = {"selector": {"matchLabels": dict(_LABELS)}, "template": _template(_minimal_pod()), **spec}
    return {"apiVersion": api, "kind": kind, "metadata": dict(_META), "spec": body}


def _object(api: str, kind: str, *, namespaced: bool = True, **rest: Any) -> dict[str, Any]:
    metadata = dict(_META) if namespaced else {"name": "sample"}
    return {"apiVersion": api, "kind": kind, "metadata": {**metadata, **rest.pop("metadata", {})}, **rest}


_CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
_RULE = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}
_WEBHOOK = {
    "name": "a.example.com",
    "clientConfig": {"service": {"name": "s", "namespace": "default"}},
    "rules": [_RULE],
    "sideEffects": "None",
    "admissionReviewVersions": ["v1"],
}
_VOLUME = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"]}
_TARGET = {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"}
_METRIC = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}
_SCALING = {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 10}]}
_DEVICES = {"requests": [{"name": "r", "exactly": {"deviceClassName": "c.example.com"}}]}
_CRD = {
    "group": "example.com",
    "names": {"plural": "samples", "kind": "Sample"},
    "scope": "Namespaced",
    "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}],
}
_SUBJECT = {"kind": "Group", "group": {"name": "g"}}
_FLOW_RULE = {
    "subjects": [_SUBJECT],
    "resourceRules": [{"verbs": ["get"], "apiGroups": ["*"], "resources": ["*"], "clusterScope": True}],
}
_VAP = {
    "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
    "matchConstraints": {"resourceRules": [_RULE]},
    "validations": [{"expression": "true"}],
}
_BINDING = {
    "policyName": "p",
    "validationActions": ["Deny"],
    "paramRef": {"name": "x", "parameterNotFoundAction": "Deny"},
    "matchResources": {"resourceRules": [_RULE]},
}
_RBAC = "rbac.authorization.k8s.io/v1"
_ADMISSION = "admissionregistration.k8s.io/v1"

SAMPLES: list[dict[str, Any]] = [
    _object("v1", "Pod", spec=pod_spec(serviceAccountName="default")),
    _object("v1", "Pod", spec=_minimal_pod()),
    _object("v1", "Pod", spec=_minimal_pod(hostNetwork=True, dnsPolicy="Default", restartPolicy="Never")),
    _object("v1", "ConfigMap"),
    _object("v1", "Secret"),
    _object("v1", "Namespace", namespaced=False),
    _object("v1", "ServiceAccount"),
    _object("v1", "PodTemplate", template=_template(_minimal_pod())),
    _object("v1", "ReplicationController", spec={"selector": _LABELS, "template": _template(_minimal_pod())}),
    _object("v1", "PersistentVolumeClaim", spec=_CLAIM),
    _object("v1", "PersistentVolume", namespaced=False, spec={**_VOLUME, "hostPath": {"path": "/x"}}),
    _object("v1", "PersistentVolume", namespaced=False, spec={**_VOLUME, "rbd": {"monitors": ["a"], "image": "i"}}),
    _object(
        "v1",
        "PersistentVolume",
        namespaced=False,
        spec={**_VOLUME, "iscsi": {"targetPortal": "1.2.3.4", "iqn": "iqn.2001-04.com.example:a", "lun": 0}},
    ),
    _object(
        "v1",
        "PersistentVolume",
        namespaced=False,
        spec={
            **_VOLUME,
            "scaleIO": {
                "gateway": "g",
                "system": "s",
                "secretRef": {**_SECRET_REF, "namespace": "d"},
                "volumeName": "v",
            },
        },
    ),
    _object("v1", "ResourceQuota", spec={"hard": {"pods": "1"}}),
    _object("v1", "LimitRange", spec={"limits": [{"type": "Container", "max": {"cpu": "1"}}]}),
    _object("v1", "Node", namespaced=False),
    _object("v1", "Service", spec={"ports": [{"port": 80}], "selector": _LABELS}),
    _object("v1", "Service", spec={"ports": [{"port": 80}], "selector": _LABELS, "sessionAffinity": "ClientIP"}),
    _object("v1", "Service", spec={"ports": [{"port": 80}], "type": "LoadBalancer", "selector": _LABELS}),
    _object("v1", "Endpoints", subsets=[{"addresses": [{"ip": "1.2.3.4"}], "ports": [{"port": 80}]}]),
    _object("v1", "Event", involvedObject={"namespace": "default"}),
    _workload("apps/v1", "Deployment"),
    _workload("apps/v1", "Deployment", strategy={"type": "Recreate"}),
    _workload("apps/v1", "ReplicaSet"),
    _workload("apps/v1", "DaemonSet"),
    _workload(
        "apps/v1", "StatefulSet", serviceName="s", volumeClaimTemplates=[{"metadata": {"name": "c"}, "spec": _CLAIM}]
    ),
    _workload("apps/v1", "StatefulSet", serviceName="s", persistentVolumeClaimRetentionPolicy={}),
    _object("apps/v1", "ControllerRevision", revision=1, data={"a": "b"}),
    _object("batch/v1", "Job", spec={"template": {"spec": _minimal_pod(restartPolicy="Never")}}),
    _object(
        "batch/v1",
        "CronJob",
        spec={
            "schedule": "* * * * *",
            "jobTemplate": {"spec": {"template": {"spec": _minimal_pod(restartPolicy="Never")}}},
        },
    ),
    _object(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        spec={
            "scaleTargetRef": _TARGET,
            "maxReplicas": 3,
            "metrics": [_METRIC],
            "behavior": {"scaleUp": _SCALING, "scaleDown": _SCALING},
        },
    ),
    _object("autoscaling/v1", "HorizontalPodAutoscaler", spec={"scaleTargetRef": _TARGET, "maxReplicas": 3}),
    _object("policy/v1", "PodDisruptionBudget", spec={"minAvailable": 1, "selector": {"matchLabels": _LABELS}}),
    _object(
        "networking.k8s.io/v1",
        "Ingress",
        spec={
            "rules": [
                {
                    "host": "a.example.com",
                    "http": {
                        "paths": [
                            {
                                "path": "/",
                                "pathType": "Prefix",
                                "backend": {"service": {"name": "s", "port": {"number": 80}}},
                            }
                        ]
                    },
                }
            ]
        },
    ),
    _object(
        "networking.k8s.io/v1",
        "IngressClass",
        namespaced=False,
        spec={"controller": "example.com/c", "parameters": {"kind": "ConfigMap", "name": "x"}},
    ),
    _object(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        spec={"podSelector": {}, "ingress": [{"ports": [{"port": 80}], "from": [{"podSelector": {}}]}]},
    ),
    _object(_RBAC, "Role", rules=[]),
    _object(_RBAC, "ClusterRole", namespaced=False, rules=[]),
    _object(
        _RBAC,
        "RoleBinding",
        roleRef={"kind": "Role", "name": "r"},
        subjects=[{"kind": "User", "name": "u"}, {"kind": "ServiceAccount", "name": "s", "namespace": "default"}],
    ),
    _object(
        _RBAC,
        "ClusterRoleBinding",
        namespaced=False,
        roleRef={"kind": "ClusterRole", "name": "r"},
        subjects=[{"kind": "Group", "name": "u"}],
    ),
    _object("coordination.k8s.io/v1", "Lease"),
    _object("storage.k8s.io/v1", "StorageClass", namespaced=False, provisioner="p.example.com"),
    _object("storage.k8s.io/v1", "CSIDriver", namespaced=False, spec={}),
    _object("storage.k8s.io/v1", "CSINode", namespaced=False, spec={"drivers": []}),
    _object(
        "storage.k8s.io/v1",
        "VolumeAttachment",
        namespaced=False,
        spec={"attacher": "a", "nodeName": "n", "source": {"persistentVolumeName": "p"}},
    ),
    _object("storage.k8s.io/v1", "VolumeAttributesClass", namespaced=False, driverName="d", parameters={"a": "b"}),
    _object("scheduling.k8s.io/v1", "PriorityClass", namespaced=False, value=1),
    _object("node.k8s.io/v1", "RuntimeClass", namespaced=False, handler="h"),
    _object(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        addressType="IPv4",
        endpoints=[{"addresses": ["1.2.3.4"]}],
        ports=[{"port": 80}],
    ),
    _object("resource.k8s.io/v1", "ResourceClaim", spec={"devices": _DEVICES}),
    _object("resource.k8s.io/v1", "DeviceClass", namespaced=False, spec={}),
    _object(
        "flowcontrol.apiserver.k8s.io/v1",
        "FlowSchema",
        namespaced=False,
        spec={"priorityLevelConfiguration": {"name": "p"}, "rules": [_FLOW_RULE]},
    ),
    _object(
        "flowcontrol.apiserver.k8s.io/v1",
        "PriorityLevelConfiguration",
        namespaced=False,
        spec={"type": "Limited", "limited": {"limitResponse": {"type": "Queue", "queuing": {}}}},
    ),
    _object(_ADMISSION, "MutatingWebhookConfiguration", namespaced=False, webhooks=[_WEBHOOK]),
    _object(_ADMISSION, "ValidatingWebhookConfiguration", namespaced=False, webhooks=[_WEBHOOK]),
    _object(_ADMISSION, "ValidatingAdmissionPolicy", namespaced=False, spec=_VAP),
    _object(_ADMISSION, "ValidatingAdmissionPolicyBinding", namespaced=False, spec=_BINDING),
    _object(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        metadata={"name": "samples.example.com"},
        namespaced=False,
        spec=_CRD,
    ),
    _object(
        "apiregistration.k8s.io/v1",
        "APIService",
        metadata={"name": "v1.example.com"},
        namespaced=False,
        spec={
            "group": "example.com",
            "version": "v1",
            "groupPriorityMinimum": 1,
            "versionPriority": 1,
            "service": {"name": "s", "namespace": "default"},
            "insecureSkipTLSVerify": True,
        },
    ),
    _object(
        "authentication.k8s.io/v1",
        "TokenReview",
        namespaced=False,
        spec={"token": "none"},
    ),
]
