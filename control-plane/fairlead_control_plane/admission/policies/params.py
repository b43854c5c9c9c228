"""
The parameters that a binding gives to its policy.

Source: k8s.io/apiserver pkg/admission/plugin/policy/generic/policy_dispatcher.go (CollectParams).
"""

from __future__ import annotations

from collections.abc import Sequence

from fairlead_api import JsonObject
from fairlead_api.selectors import from_object
from fairlead_control_plane.admission.policies.subject import shown_in
from fairlead_control_plane.kinds.catalog import Catalog
from fairlead_control_plane.kinds.reader import ObjectReader
from fairlead_control_plane.kinds.record import Resource, Version
from fairlead_control_plane.store.contract import Store

_WITHOUT: Sequence[JsonObject | None] = (None,)


class BadConfiguration(Exception):
    """A policy or a binding that cannot be followed; the text is Kubernetes'."""


class Params:
    """Looks parameters up, in the workspace that has the policy."""

    def __init__(self, store: Store, catalog: Catalog) -> None:
        self._reader = ObjectReader(store)
        self._catalog = catalog

    async def kind(self, cluster: str, kind: JsonObject | None) -> tuple[Resource, Version] | None:
        """
        Return the resource of a ``paramKind``; None for none.

        Raises:
            BadConfiguration: There is no such kind.
        """
        if kind is None:
            return None
        group, _, version = str(kind.get("apiVersion", "")).rpartition("/")
        for resource in await self._catalog.resources(cluster):
            if resource.group == group and resource.kind == kind.get("kind"):
                found = resource.version(version)
                if found is not None and not resource.strategy.virtual:
                    return resource, found
        named = f"{group}/{version}, Kind={kind.get('kind')}"
        raise BadConfiguration(f"failed to find resource referenced by paramKind: '{named}'")

    async def collect(
        self, cluster: str, kind: tuple[Resource, Version] | None, reference: JsonObject | None, namespace: str
    ) -> Sequence[JsonObject | None]:
        """
        Return what a policy is to be evaluated with, once for each; None where it takes no parameters.

        Args:
            namespace: Of the request; ``""`` for none.

        Raises:
            BadConfiguration: The reference fits neither kind nor request, or finds nothing where it must.
        """
        if kind is None or reference is None:
            return _WITHOUT
        resource, version = kind
        where = _namespace(resource, reference, namespace)
        found = await self._find(cluster, resource, reference, where)
        if not found and reference.get("parameterNotFoundAction") == "Deny":
            raise BadConfiguration("no params found for policy binding with `Deny` parameterNotFoundAction")
        return [shown_in(resource, resource.storage_version, version, one) for one in found]

    async def _find(self, cluster: str, resource: Resource, reference: JsonObject, where: str) -> list[JsonObject]:
        if reference.get("name"):
            one = await self._reader.get(resource, cluster, where, reference["name"])
            return [] if one is None else [one]
        selector = from_object(reference.get("selector"))
        listed = await self._reader.list(resource, cluster, where)
        return [one for one in listed if selector.matches(one["metadata"].get("labels"))]


def _namespace(resource: Resource, reference: JsonObject, namespace: str) -> str:
    named = str(reference.get("namespace") or "")
    if not resource.namespaced:
        if named:
            raise BadConfiguration("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
        return ""
    if not named and not namespace:
        raise BadConfiguration("cannot use namespaced paramRef in policy binding that matches cluster-scoped resources")
    return named or namespace
