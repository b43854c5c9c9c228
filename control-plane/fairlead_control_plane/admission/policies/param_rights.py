"""
Who lets a policy read parameters must be allowed to read them: its words could tell what they hold.

Source: k8s.io/kubernetes pkg/registry/admissionregistration/{validating,mutating}admissionpolicy{,binding}/authz.go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fairlead_api import JsonObject
from fairlead_api import field_errors as wrong
from fairlead_api.request import User
from fairlead_control_plane.admission.contract import Attributes
from fairlead_control_plane.admission.policies.params import BadConfiguration, Params
from fairlead_control_plane.admission.policies.plugin import GROUP, Surroundings
from fairlead_control_plane.kinds.reader import ObjectReader
from fairlead_control_plane.kinds.record import Resource
from fairlead_schema.cel.libraries.authz import Question

_WHOLE = "permission for all groups, versions and resources"


class ParamRights:
    """Checks what policies and bindings refer to, when they are written and refer to something new."""

    def __init__(self, around: Surroundings, kind_of: Callable[[str, str], Resource]) -> None:
        self._reader = ObjectReader(around.store)
        self._params = Params(around.store, around.catalog)
        self._ask = around.ask
        self._kind_of = kind_of

    async def admit(self, attributes: Attributes) -> None:
        """Change nothing."""

    async def validate(self, attributes: Attributes) -> None:
        """Refuse a reference to what the user may not read."""
        if attributes.resource.group != GROUP:
            return
        obj, plural = attributes.obj, attributes.resource.plural
        if obj is None or attributes.subresource or attributes.user.is_master:
            return
        spec, before = obj.get("spec") or {}, (attributes.old or {}).get("spec") or {}
        if plural.endswith("policies") and spec.get("paramKind") not in (None, before.get("paramKind")):
            field, why = "spec.paramKind", await self._of_policy(attributes, spec["paramKind"])
        elif plural.endswith("policybindings") and _refers_anew(spec, before):
            field, why = "spec.paramRef", await self._of_binding(attributes, spec)
        else:
            return
        if why:
            name = attributes.name
            raise wrong.invalid_object(GROUP, attributes.resource.kind, name, [wrong.forbidden(field, why)])

    async def _of_policy(self, attributes: Attributes, kind: JsonObject) -> str:
        group, resource, _ = await self._resolved(attributes.cluster, kind)
        asked = Question("get", group=group, resource=resource, namespace="*", name="*")
        if (await self._ask(attributes.user, attributes.cluster, asked)).allowed:
            return ""
        what = f"(kind={kind.get('kind', '')}, apiVersion={kind.get('apiVersion', '')})"
        who = f'user {_shown(attributes.user)} must have "get" permission'
        return f"{who} on all objects of the referenced paramKind {what}"

    async def _of_binding(self, attributes: Attributes, spec: JsonObject) -> str:
        policies = self._kind_of(GROUP, attributes.resource.plural.removesuffix("policybindings") + "policies")
        name, reference = spec.get("policyName", ""), spec["paramRef"]
        policy = await self._reader.get(policies, attributes.cluster, "", name)
        kind = None if policy is None else policy["spec"].get("paramKind")
        is_known = True
        group = resource = "*"
        if kind is not None:
            group, resource, is_known = await self._resolved(attributes.cluster, kind)
        verb = "get" if reference.get("name") else "list"
        namespace = reference.get("namespace", "")
        asked = Question(verb, group=group, resource=resource, namespace=namespace, name=reference.get("name", ""))
        if (await self._ask(attributes.user, attributes.cluster, asked)).allowed:
            return ""
        who = f"user {_shown(attributes.user)} does not have"
        if policy is None:
            return f'unable to get policy {name} to determine minimum required permissions and {who} "{verb}" {_WHOLE}'
        if not is_known:
            what = f"&ParamKind{{APIVersion:{(kind or {}).get('apiVersion')},Kind:{(kind or {}).get('kind')},}}"
            why = f"unable to resolve paramKind {what} to determine minimum required permissions"
            return f'{why} and {who} "{verb}" {_WHOLE}'
        return f'{who} "{verb}" permission on the object referenced by paramRef'

    async def _resolved(self, cluster: str, kind: JsonObject) -> tuple[str, str, bool]:
        """Return the group and the resource of a kind, ``*`` when there is none, and whether there is."""
        group = str(kind.get("apiVersion", "")).rpartition("/")[0]
        try:
            found = await self._params.kind(cluster, kind)
        except BadConfiguration:
            found = None
        return (group, "*", False) if found is None else (group, found[0].plural, True)


def _refers_anew(spec: JsonObject, before: JsonObject) -> bool:
    reference = spec.get("paramRef")
    if reference is None:
        return False
    return bool(reference != before.get("paramRef") or spec.get("policyName") != before.get("policyName"))


def _shown(user: User) -> str:
    """Return a user as Go prints the struct."""

    def listed(values: Any) -> str:
        return f"[{' '.join(values)}]"

    extra = " ".join(f"{key}:{listed(values)}" for key, values in sorted(user.extra.items()))
    return f"&{{{user.name} {user.uid} {listed(user.groups)} map[{extra}]}}"
