"""
Namespaces: nothing is created in one that is missing or going, and a few are not deleted.

Source: k8s.io/apiserver pkg/admission/plugin/namespace/lifecycle/admission.go.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fairlead_api.errors import Cause, Forbidden, NotFound
from fairlead_control_plane.admission.contract import Attributes
from fairlead_control_plane.kinds import encoding, keys
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.store.contract import Store

_UNDELETABLE = frozenset({"default", "kube-system", "kube-public"})
_ALLOWED_WHILE_TERMINATING = frozenset({("authorization.k8s.io", "localsubjectaccessreviews")})


class NamespaceLifecycle:
    """
    The rules of a namespace's life.

    Args:
        store: Where namespaces are looked up: the newest state, by key.
        namespaces: The resource.
        is_cluster_going: Tells whether a logical cluster is being deleted: then every namespace may go.
    """

    def __init__(
        self, store: Store, namespaces: Resource, is_cluster_going: Callable[[str], Awaitable[bool]] | None = None
    ) -> None:
        self._store = store
        self._namespaces = namespaces
        self._is_cluster_going = is_cluster_going

    async def admit(self, attributes: Attributes) -> None:
        """Refuse what may not be; nothing is changed."""
        if attributes.operation == "DELETE":
            await self._check_delete(attributes)
        elif attributes.operation == "CREATE" and attributes.resource.namespaced:
            await self._check_create(attributes)

    async def validate(self, attributes: Attributes) -> None:
        """Nothing is left to check."""

    def _is_namespace(self, resource: Resource) -> bool:
        return resource.plural == "namespaces" and not resource.group

    async def _check_delete(self, attributes: Attributes) -> None:
        name = attributes.name
        if not self._is_namespace(attributes.resource) or name not in _UNDELETABLE:
            return
        if self._is_cluster_going is not None and await self._is_cluster_going(attributes.cluster):
            return
        raise Forbidden(
            f'namespaces "{name}" is forbidden: this namespace may not be deleted', kind="namespaces", name=name
        )

    async def _check_create(self, attributes: Attributes) -> None:
        resource, namespace = attributes.resource, attributes.namespace
        if (resource.group, resource.plural) in _ALLOWED_WHILE_TERMINATING:
            return
        row = await self._store.get(keys.object_key(self._namespaces, attributes.cluster, "", namespace))
        if row is None:
            raise NotFound(f'namespaces "{namespace}" not found', kind="namespaces", name=namespace)
        # Only a namespace on its way out says so; the others need no decoding.
        if b'"deletionTimestamp"' not in row.value or not encoding.decode(row)["metadata"].get("deletionTimestamp"):
            return
        raise Forbidden(
            f'{resource.name} "{attributes.name}" is forbidden: unable to create new content in namespace {namespace} '
            "because it is being terminated",
            group=resource.group,
            kind=resource.plural,
            name=attributes.name,
            causes=[Cause("NamespaceTerminating", f"namespace {namespace} is being terminated", "metadata.namespace")],
        )
