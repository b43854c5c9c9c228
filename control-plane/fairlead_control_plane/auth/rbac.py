"""
RBAC rules and who holds them, exactly as Kubernetes evaluates them.

Source: k8s.io/kubernetes plugin/pkg/auth/authorizer/rbac, pkg/apis/rbac/v1 evaluation helpers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from fairlead_api import JsonObject
from fairlead_api.request import RequestInfo, User

GROUP = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True)
class Rule:
    """One PolicyRule; an empty ``names`` means every name."""

    verbs: frozenset[str]
    groups: frozenset[str] = frozenset()
    resources: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    urls: tuple[str, ...] = ()

    def covers_resource(self, verb: str, group: str, resource: str, subresource: str) -> bool:
        """Tell whether the rule speaks of this verb on this resource (whatever the name)."""
        if not ("*" in self.verbs or verb in self.verbs) or not ("*" in self.groups or group in self.groups):
            return False
        found = self.resources
        if not subresource:
            return "*" in found or resource in found
        return "*" in found or f"{resource}/{subresource}" in found or f"*/{subresource}" in found

    def covers_url(self, verb: str, path: str) -> bool:
        """Tell whether the rule allows this verb on a path that is no resource."""
        if not ("*" in self.verbs or verb in self.verbs):
            return False
        return any(url in ("*", path) or (url.endswith("*") and path.startswith(url.rstrip("*"))) for url in self.urls)


class Grant(NamedTuple):
    """Rules that a binding gives one subject; ``namespace`` is ``""`` for a ClusterRoleBinding."""

    namespace: str
    rules: tuple[Rule, ...]
    reason: str


class Verdict(NamedTuple):
    """Who may: everybody (``reason`` set), or only requests that carry one of ``names`` (name to reason)."""

    reason: str | None
    names: Mapping[str, str]


NOBODY = Verdict(None, {})


@dataclass(frozen=True, slots=True)
class ClusterRole:
    """A ClusterRole with its labels and, when it is aggregated, the selectors of what it is made of."""

    name: str
    rules: tuple[Rule, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    selectors: tuple[JsonObject, ...] = ()


@dataclass(frozen=True, slots=True)
class Binding:
    """A RoleBinding (``namespace`` set) or ClusterRoleBinding; subjects as (kind, namespace, name)."""

    namespace: str
    name: str
    role_kind: str
    role: str
    subjects: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """All RBAC objects of one place."""

    cluster_roles: Mapping[str, ClusterRole] = field(default_factory=dict)
    roles: Mapping[tuple[str, str], tuple[Rule, ...]] = field(default_factory=dict)
    bindings: Sequence[Binding] = ()


class Index:
    """
    Grants by subject for one logical cluster, with verdicts remembered per user.

    Local objects come before those of ``shared`` (the bootstrap policy); a local ClusterRole hides a shared one of
    the same name. An index is never changed: a write to RBAC objects makes a new one.
    """

    def __init__(self, local: Policy, shared: Policy) -> None:
        self._cluster_roles = {**shared.cluster_roles, **local.cluster_roles}
        self._roles = {**shared.roles, **local.roles}
        self._resolved: dict[str, tuple[Rule, ...]] = {}
        self._by_subject: dict[tuple[str, str], list[Grant]] = {}
        for policy in (local, shared):
            for binding in policy.bindings:
                rules = self.role_rules(binding.role_kind, binding.namespace, binding.role) or ()
                for kind, namespace, name in binding.subjects if rules else ():
                    grant = Grant(binding.namespace, rules, _reason(binding, (kind, namespace, name)))
                    self._by_subject.setdefault(_subject(kind, namespace, name), []).append(grant)
        self._users: dict[tuple[str, tuple[str, ...]], UserRules] = {}

    def user(self, user: User) -> UserRules:
        """Return what the user holds here."""
        key = (user.name, user.groups)
        found = self._users.get(key)
        if found is None:
            if len(self._users) >= 1024:
                self._users.clear()
            found = self._users[key] = UserRules(tuple(self._grants(user)))
        return found

    def role_rules(self, kind: str, namespace: str, name: str) -> tuple[Rule, ...] | None:
        """Return the rules behind a roleRef, or None when there is no such role."""
        if kind == "Role":
            return self._roles.get((namespace, name))
        return self.cluster_role_rules(name) if name in self._cluster_roles else None

    def cluster_role_rules(self, name: str, seen: frozenset[str] = frozenset()) -> tuple[Rule, ...]:
        """Return the rules of a ClusterRole; those of an aggregated one are put together here."""
        found = self._resolved.get(name)
        if found is not None:
            return found
        role = self._cluster_roles.get(name)
        if role is None or name in seen:
            return ()
        rules = role.rules
        if role.selectors:
            parts = (
                self.cluster_role_rules(other.name, seen | {name})
                for other in sorted(self._cluster_roles.values(), key=lambda each: each.name)
                if other.name != name and any(_selects(selector, other.labels) for selector in role.selectors)
            )
            rules = tuple(dict.fromkeys(rule for part in parts for rule in part))
        if not seen:
            self._resolved[name] = rules
        return rules

    def _grants(self, user: User) -> Iterator[Grant]:
        for key in (("User", user.name), *(("Group", group) for group in user.groups)):
            yield from self._by_subject.get(key, ())


class UserRules:
    """What one user holds in one logical cluster."""

    __slots__ = ("_cluster_wide", "_grants", "_verdicts")

    def __init__(self, grants: tuple[Grant, ...]) -> None:
        self._grants = grants
        self._cluster_wide = tuple(grant for grant in grants if not grant.namespace)
        self._verdicts: dict[tuple[str, str, str, str, str], Verdict] = {}

    def allows(self, info: RequestInfo) -> str | None:
        """Return why the request is allowed (as Kubernetes words it), or None."""
        if not info.is_resource:
            return self.allows_url(info.verb, info.path)
        key = (info.verb, info.group, info.resource, info.subresource, info.namespace)
        verdict = self._verdicts.get(key)
        if verdict is None:
            if len(self._verdicts) >= 4096:
                self._verdicts.clear()
            verdict = self._verdicts[key] = self._judge(*key)
        return verdict.reason if verdict.reason is not None else verdict.names.get(info.name)

    def allows_url(self, verb: str, path: str) -> str | None:
        """Return why a request for something that is no resource is allowed, or None."""
        for grant in self._cluster_wide:
            if any(rule.covers_url(verb, path) for rule in grant.rules):
                return grant.reason
        return None

    def rules(self, namespace: str) -> list[Rule]:
        """Return all rules that hold in a namespace (``""``: cluster-wide ones only)."""
        return [rule for grant in self._grants if grant.namespace in ("", namespace) for rule in grant.rules]

    def _judge(self, verb: str, group: str, resource: str, subresource: str, namespace: str) -> Verdict:
        names: dict[str, str] = {}
        for grant in self._grants:
            if grant.namespace and grant.namespace != namespace:
                continue
            for rule in grant.rules:
                if rule.covers_resource(verb, group, resource, subresource):
                    if not rule.names:
                        return Verdict(grant.reason, {})
                    for name in rule.names:
                        names.setdefault(name, grant.reason)
        return Verdict(None, names) if names else NOBODY


def parse_rules(rules: Iterable[JsonObject] | None) -> tuple[Rule, ...]:
    """Compile the ``rules`` of a Role or ClusterRole."""
    return tuple(
        Rule(
            frozenset(rule.get("verbs") or ()),
            frozenset(rule.get("apiGroups") or ()),
            frozenset(rule.get("resources") or ()),
            frozenset(rule.get("resourceNames") or ()),
            tuple(rule.get("nonResourceURLs") or ()),
        )
        for rule in rules or ()
    )


def parse_cluster_role(obj: JsonObject) -> ClusterRole:
    """Compile a ClusterRole."""
    metadata = obj["metadata"]
    selectors = (obj.get("aggregationRule") or {}).get("clusterRoleSelectors") or ()
    return ClusterRole(metadata["name"], parse_rules(obj.get("rules")), metadata.get("labels") or {}, tuple(selectors))


def parse_binding(obj: JsonObject) -> Binding:
    """Compile a RoleBinding or ClusterRoleBinding."""
    metadata, ref = obj["metadata"], obj["roleRef"]
    return Binding(
        metadata.get("namespace", ""),
        metadata["name"],
        ref["kind"],
        ref["name"],
        tuple((each["kind"], each.get("namespace", ""), each["name"]) for each in obj.get("subjects") or ()),
    )


def compact(rule: Rule) -> str:
    """Return a rule as Kubernetes prints it in escalation errors."""
    parts = [
        f"{label}:[{' '.join(json.dumps(value) for value in sorted(values))}]"
        for label, values in (
            ("APIGroups", rule.groups),
            ("Resources", rule.resources),
            ("NonResourceURLs", rule.urls),
            ("ResourceNames", rule.names),
            ("Verbs", rule.verbs),
        )
        if values
    ]
    return "{" + ", ".join(parts) + "}"


def _subject(kind: str, namespace: str, name: str) -> tuple[str, str]:
    """A service account is the user of that name; so it is found without looking at the user's groups."""
    return ("User", f"system:serviceaccount:{namespace}:{name}") if kind == "ServiceAccount" else (kind, name)


def _reason(binding: Binding, subject: tuple[str, str, str]) -> str:
    kind, namespace, name = subject
    who = f"{namespace}/{name}" if kind == "ServiceAccount" else name
    what, where = "ClusterRoleBinding", binding.name
    if binding.namespace:
        what, where = "RoleBinding", f"{binding.namespace}/{binding.name}"
    return f'RBAC: allowed by {what} "{where}" of {binding.role_kind} "{binding.role}" to {kind} "{who}"'


def _selects(selector: JsonObject, labels: Mapping[str, str]) -> bool:
    """Evaluate a label selector of an aggregation rule."""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for term in selector.get("matchExpressions") or ():
        key, operator, values = term["key"], term["operator"], term.get("values") or ()
        matches = {
            "In": labels.get(key) in values,
            "NotIn": labels.get(key) not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }
        if not matches.get(operator, False):
            return False
    return True
