"""
The admission policy that holds an agent to the namespaces it made. Pure: same input, same bytes.

RBAC knows neither name prefixes nor labels, so two rights of the agent say more than is meant: to make namespaces, and
to bind its role in any of them. This policy, matched on the agent's user alone, takes the surplus back: what the agent
makes, changes or removes is a namespace that bears our kind of name and the agent's own marks, or lies in one. Nor do
pods get nearer to the nodes than the cluster's owner said at the join, whatever the control plane or a thief asks for.

Source: KEP-3488 (ValidatingAdmissionPolicy, v1 since Kubernetes 1.30).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Protocol

from fairlead_api import JsonObject
from fairlead_api.names import LOCATOR_ANNOTATION, Locator, sync_target_key

API_VERSION = "admissionregistration.k8s.io/v1"
_TARGET = ("labels", "internal.workload.kcp.io/cluster")
_TENANT = ("labels", "kcp.io/tenant-id")
_LOCATOR = ("annotations", LOCATOR_ANNOTATION)
_PROOF = ("annotations", "internal.workload.kcp.io/proof")
_LEVEL = ("labels", "pod-security.kubernetes.io/enforce")
_LEVEL_VERSION = ("labels", "pod-security.kubernetes.io/enforce-version")
LONGEST_TOKEN_S = 365 * 24 * 3600
"""What ``cluster join`` asks for an agent as a process, and so what that renews."""
_NAMES = "^kcp-[0-9a-z]{1,12}$"
"""What :func:`fairlead_api.names.downstream_namespace` gives; no agent's own namespace matches."""


class Agent(Protocol):
    """What has to be known of an agent; see :class:`fairlead_cli.manifests.Agent`."""

    @property
    def name(self) -> str:
        """Of the SyncTarget."""

    @property
    def uid(self) -> str:
        """Of the SyncTarget."""

    @property
    def cluster(self) -> str:
        """Logical cluster of the SyncTarget."""

    @property
    def id(self) -> str:
        """What the agent is called."""

    @property
    def home(self) -> str:
        """The namespace it lives in."""

    @property
    def privileged(self) -> bool:
        """Whether tenants' namespaces may be of pod security level ``privileged``."""


def policy(agent: Agent, labels: Mapping[str, str]) -> list[JsonObject]:
    """Return the policy and what puts it in force, both named like the agent."""
    spec: JsonObject = {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "resourceRules": [{"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*/*"]}]
        },
        "matchConditions": [{"name": "agent", "expression": f"request.userInfo.username == {_text(user(agent))}"}],
        "variables": [{"name": name, "expression": text} for name, text in _variables(agent).items()],
        "validations": [
            {
                "expression": expression,
                "message": f"the agent of SyncTarget {agent.name} {message}",
                "reason": "Forbidden",
            }
            for message, expression in _validations(agent).items()
        ],
    }
    metadata = {"name": agent.id, "labels": dict(labels)}
    binding = {"policyName": agent.id, "validationActions": ["Deny"]}
    return [
        {"apiVersion": API_VERSION, "kind": "ValidatingAdmissionPolicy", "metadata": metadata, "spec": spec},
        {
            "apiVersion": API_VERSION,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {**metadata, "labels": dict(labels)},
            "spec": binding,
        },
    ]


def allows_privileged(found: JsonObject) -> bool:
    """Tell whether a policy, as a cluster has it, was made for an agent that is ``privileged``."""
    rules = (found.get("spec") or {}).get("validations") or ()
    return any(' in ["privileged", ' in str(rule.get("expression")) for rule in rules)


def user(agent: Agent) -> str:
    """Return what the cluster calls the agent."""
    return f"system:serviceaccount:{agent.home}:{agent.id}"


def _text(value: str) -> str:
    """Write a string as CEL does; JSON's form is one of CEL's."""
    return json.dumps(value, ensure_ascii=False)


def _variables(agent: Agent) -> dict[str, str]:
    """Return what the rules speak of: which kind is written, and whether its namespace is one of the agent's making."""
    begin = Locator(agent.cluster, agent.name, agent.uid, "", "").to_json().partition('"namespace"')[0]
    own = [
        "variables.place != null",
        f"variables.place.metadata.name.matches({_text(_NAMES)})",
        f'{_mark("variables.place", _TARGET)}.orValue("") == {_text(sync_target_key(agent.cluster, agent.name))}',
        f'{_mark("variables.place", _LOCATOR)}.orValue("").startsWith({_text(begin)})',
    ]
    return {
        "isNamespace": _is("", "namespaces"),
        "isBinding": _is("rbac.authorization.k8s.io", "rolebindings"),
        "isToken": _is("", "serviceaccounts") + ' && request.subResource == "token"',
        "isReview": 'request.resource.group in ["authentication.k8s.io", "authorization.k8s.io"]',
        # A Namespace counts as lying in itself.
        "isAtHome": f'!variables.isNamespace && request.?namespace.orValue("") == {_text(agent.home)}',
        "place": ('variables.isNamespace ? (request.operation == "CREATE" ? object : oldObject) : namespaceObject'),
        "isOwn": " && ".join(own),
    }


def _validations(agent: Agent) -> dict[str, str]:
    """Return what must hold of each of the agent's requests, by what is said otherwise."""
    role = f"{agent.id}-namespace"
    kept = [_unchanged(mark) for mark in (_TARGET, _TENANT, _LOCATOR, _PROOF)]
    grants = [
        'request.operation == "CREATE"',
        "variables.isOwn",
        'object.roleRef.kind == "ClusterRole"',
        f"object.roleRef.name == {_text(role)}",
        "object.?subjects.orValue([]).size() == 1",
        'object.subjects[0].kind == "ServiceAccount"',
        f"object.subjects[0].name == {_text(agent.id)}",
        f'object.subjects[0].?namespace.orValue("") == {_text(agent.home)}',
    ]
    levels = [*(["privileged"] if agent.privileged else []), "baseline", "restricted"]
    return {
        "writes only namespaces of its own making, and what is in them": (
            "variables.isReview || variables.isAtHome || variables.isOwn"
        ),
        "does not change what tells whose a namespace is": (
            f'!(variables.isNamespace && request.operation == "UPDATE") || ({" && ".join(kept)})'
        ),
        f"makes only namespaces of pod security level {' or '.join(levels)}": (
            f"!variables.isNamespace || ({_is_of_level(levels)})"
        ),
        "asks for no token that lasts longer than a year": (
            f"!variables.isToken || object.spec.?expirationSeconds.orValue(0) <= {LONGEST_TOKEN_S}"
        ),
        f"binds nothing but ClusterRole {role}, to itself, in namespaces of its own making": (
            f"!variables.isBinding || ({' && '.join(grants)})"
        ),
        "opens no connections": 'request.operation != "CONNECT"',
    }


def _is(group: str, resource: str) -> str:
    return f"request.resource.group == {_text(group)} && request.resource.resource == {_text(resource)}"


def _is_of_level(levels: Sequence[str]) -> str:
    """Return what must hold of a namespace that is made, and of one that is changed; what goes is free."""
    fits = f'{_mark("object", _LEVEL)}.orValue("") in {json.dumps(levels)}'
    made = f"{fits} && !{_mark('object', _LEVEL_VERSION)}.hasValue()"
    changed = f"({fits} || {_unchanged(_LEVEL)}) && {_unchanged(_LEVEL_VERSION)}"
    return f'request.operation == "CREATE" ? {made} : (request.operation != "UPDATE" || ({changed}))'


def _unchanged(mark: tuple[str, str]) -> str:
    return f"{_mark('object', mark)} == {_mark('oldObject', mark)}"


def _mark(what: str, mark: tuple[str, str]) -> str:
    """Return the CEL of a label or annotation that need not be there."""
    return f"{what}.metadata.?{mark[0]}[?{_text(mark[1])}]"
