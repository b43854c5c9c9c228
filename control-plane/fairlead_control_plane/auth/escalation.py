"""
Nobody grants more than they hold: an admission rule for roles and bindings.

Source: k8s.io/kubernetes pkg/registry/rbac/*/policybased, k8s.io/component-helpers auth/rbac/validation.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import product

from fairlead_api import JsonObject
from fairlead_api.errors import NotFound
from fairlead_api.request import RequestInfo
from fairlead_control_plane.admission.contract import Attributes
from fairlead_control_plane.admission.refusing import forbidden
from fairlead_control_plane.auth.authorize import Authorizer
from fairlead_control_plane.auth.policies import Policies
from fairlead_control_plane.auth.rbac import GROUP, Rule, compact, parse_rules

_ROLES = frozenset({"roles", "clusterroles"})
_BINDINGS = frozenset({"rolebindings", "clusterrolebindings"})
_MOST_PARTS = 20_000
"""Compared one by one while everybody else waits; cluster-admins, who may escalate, are not asked."""
_EVERYTHING = parse_rules(
    [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}, {"verbs": ["*"], "nonResourceURLs": ["*"]}]
)


class Escalation:
    """Refuses roles and bindings that would give rights their author lacks, short of ``escalate`` or ``bind``."""

    def __init__(self, policies: Policies, authorizer: Authorizer) -> None:
        self._policies = policies
        self._authorizer = authorizer

    async def admit(self, attributes: Attributes) -> None:
        """Change nothing."""

    async def validate(self, attributes: Attributes) -> None:
        """
        Check a role or binding about to be written.

        Raises:
            Forbidden: It gives rights the user does not have.
            NotFound: A binding names a role that does not exist, so that its rights cannot be compared.
        """
        resource = attributes.resource
        if resource.group != GROUP or attributes.user.is_master or attributes.obj is None:
            return
        if attributes.operation not in ("CREATE", "UPDATE") or _only_cleanup(attributes.obj, attributes.old):
            return
        if resource.plural in _ROLES:
            await self._role(attributes, attributes.obj)
        elif resource.plural in _BINDINGS:
            await self._binding(attributes, attributes.obj)

    async def _role(self, attributes: Attributes, role: JsonObject) -> None:
        # Creating through a collection asks without a name, so a right limited to names does not help there.
        name = "" if attributes.operation == "CREATE" else attributes.name
        if await self._may("escalate", attributes, attributes.resource.plural, name):
            return
        await self._confirm(attributes, parse_rules(role.get("rules")))
        if _aggregates(role) or _aggregates(attributes.old or {}):
            held = await self._held(attributes)
            if _missing(held, _EVERYTHING):
                raise forbidden(attributes, "must have cluster-admin privileges to use the aggregationRule")

    async def _binding(self, attributes: Attributes, binding: JsonObject) -> None:
        ref = binding["roleRef"]
        plural = "roles" if ref["kind"] == "Role" else "clusterroles"
        if await self._may("bind", attributes, plural, ref["name"]):
            return
        index = await self._policies.index(attributes.cluster)
        rules = index.role_rules(ref["kind"], attributes.namespace, ref["name"])
        if rules is None:
            raise NotFound(f'{plural}.{GROUP} "{ref["name"]}" not found', group=GROUP, kind=plural, name=ref["name"])
        # A cluster's own role may hide a shared one, whose rights are back the moment it is deleted.
        hidden = self._policies.shared.role_rules(ref["kind"], attributes.namespace, ref["name"]) or ()
        await self._confirm(attributes, (*rules, *(rule for rule in hidden if rule not in rules)))

    async def _may(self, verb: str, attributes: Attributes, plural: str, name: str) -> bool:
        info = RequestInfo(attributes.cluster, "", verb, True, GROUP, "*", attributes.namespace, plural, name=name)
        return (await self._authorizer.authorize(attributes.user, info)).allowed

    async def _held(self, attributes: Attributes) -> Sequence[Rule]:
        index = await self._policies.index(attributes.cluster)
        return index.user(attributes.user).rules(attributes.namespace)

    async def _confirm(self, attributes: Attributes, rules: Sequence[Rule]) -> None:
        if sum(_size(rule) for rule in rules) > _MOST_PARTS:
            raise forbidden(attributes, f"its rules speak of more than {_MOST_PARTS} combinations: too many to compare")
        missing = _missing(await self._held(attributes), rules)
        if missing:
            user = attributes.user
            groups = " ".join(json.dumps(group) for group in user.groups)
            what = "\n".join(sorted(compact(rule) for rule in _merged(missing)))
            raise forbidden(
                attributes,
                f"user {json.dumps(user.name)} (groups=[{groups}]) is attempting to grant RBAC permissions"
                f" not currently held:\n{what}",
            )


def _missing(held: Sequence[Rule], wanted: Iterable[Rule]) -> list[Rule]:
    """Return the smallest parts of ``wanted`` that no single rule of ``held`` covers."""
    return [part for rule in wanted for part in _parts(rule) if not any(_covers(own, part) for own in held)]


def _parts(rule: Rule) -> Iterable[Rule]:
    """Break a rule into rules of one verb on one thing."""
    one = frozenset[str]
    for verb in sorted(rule.verbs):
        for group, resource in product(sorted(rule.groups), sorted(rule.resources)):
            for name in sorted(rule.names) or [""]:
                yield Rule(one({verb}), one({group}), one({resource}), one({name} if name else ()))
        for url in rule.urls:
            yield Rule(one({verb}), urls=(url,))


def _size(rule: Rule) -> int:
    """Return how many parts a rule has, without making them."""
    things = len(rule.groups) * len(rule.resources) * max(len(rule.names), 1)
    return len(rule.verbs) * (things + len(rule.urls))


def _covers(own: Rule, part: Rule) -> bool:
    """Tell whether one rule gives all that a smallest part asks for."""
    if "*" not in own.verbs and not part.verbs <= own.verbs:
        return False
    if part.urls:
        return all(
            any(url in ("*", wanted) or (url.endswith("*") and wanted.startswith(url[:-1])) for url in own.urls)
            for wanted in part.urls
        )
    (resource,) = part.resources
    _, slash, subresource = resource.partition("/")
    covered = "*" in own.resources or resource in own.resources or (slash and f"*/{subresource}" in own.resources)
    if not covered or ("*" not in own.groups and not part.groups <= own.groups):
        return False
    return not own.names or (bool(part.names) and part.names <= own.names)


def _merged(parts: Iterable[Rule]) -> Iterable[Rule]:
    """Join parts that differ in their verbs only, as Kubernetes does before it prints them."""
    verbs: dict[Rule, set[str]] = {}
    for part in parts:
        key = Rule(frozenset(), part.groups, part.resources, part.names, part.urls)
        verbs.setdefault(key, set()).update(part.verbs)
    return [Rule(frozenset(found), key.groups, key.resources, key.names, key.urls) for key, found in verbs.items()]


def _aggregates(role: JsonObject) -> bool:
    return bool((role.get("aggregationRule") or {}).get("clusterRoleSelectors"))


def _only_cleanup(new: JsonObject, old: JsonObject | None) -> bool:
    """Tell whether an update changes only what garbage collection needs: finalizers and owner references."""
    if old is None:
        return False
    ignored = ("finalizers", "ownerReferences", "managedFields", "resourceVersion", "generation")

    def rest(obj: JsonObject) -> JsonObject:
        kept = {key: value for key, value in obj["metadata"].items() if key not in ignored}
        return {**obj, "metadata": kept}

    return rest(new) == rest(old)
