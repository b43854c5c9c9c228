"""
The first rows of a logical cluster: all it takes to be there, written in one transaction.

LogicalCluster, path, the creator's rights, namespaces with service account and CA, default bindings. A type that only
has built-in initializers is Ready in that transaction. Two things leave it Initializing, with what is pending in
``status.initializers``: an initializer that somebody else serves, and default bindings that cannot be bound at once
(no such export yet, or more of them than fit beside the rest in one transaction, see :data:`MOST_BINDINGS`). Nobody but
initializers sees an Initializing workspace as usable, so no half is visible; the workspaces controller goes on from
the rows alone.

Source: kcp-core 1.3, 1.6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

from fairlead_api import JsonObject, names
from fairlead_api.request import User
from fairlead_control_plane.sharing.bindings import Bindings
from fairlead_control_plane.sharing.conditions import condition, merged
from fairlead_control_plane.sharing.objects import (
    BINDINGS,
    CLUSTER_ROLE_BINDINGS,
    LOGICAL_CLUSTERS,
    Maker,
    namespace_with_content,
)
from fairlead_control_plane.store.contract import MAX_OPERATIONS, Compare, Operation, Put
from fairlead_control_plane.tenancy.paths import LOGICAL_CLUSTER_NAME, TYPE_ANNOTATION, path_key, path_value
from fairlead_control_plane.tenancy.types import (
    BINDINGS_INITIALIZER,
    UNIVERSAL_INITIALIZER,
    Types,
    WorkspaceType,
    default_bindings,
    initializers,
)

OWNER_ANNOTATION = "experimental.tenancy.kcp.io/owner"
SHARD_ANNOTATION = "core.kcp.io/shard"
PHASE_LABEL = "tenancy.kcp.io/phase"
DELETION_FINALIZER = "core.kcp.io/logicalcluster-deletion"
FIRST_NAMESPACES = ("default", "kube-system")
ADMIN_BINDING = "workspace-admin"

_OTHER_ROWS = 15
"""LogicalCluster, path, ClusterRoleBinding, namespaces with content, the Workspace, and room for other effects."""
MOST_BINDINGS = MAX_OPERATIONS - _OTHER_ROWS
"""Default bindings that are made with the workspace; a type with more gets them all from the controller."""


@dataclass(frozen=True, slots=True)
class NewCluster:
    """
    A logical cluster to be made.

    Attributes:
        name: Its name; must be free.
        path: Its canonical path, ``""`` for none (it is then reached by name alone).
        owner: ``spec.owner`` (the Workspace it is for); None for root and homes.
        creator: Gets the owner annotation and cluster-admin; None for ``system:masters``.
        annotations: More annotations of the LogicalCluster.
        is_directly_deletable: ``spec.directlyDeletable``.
    """

    name: str
    path: str
    kind: WorkspaceType
    owner: JsonObject | None = None
    creator: User | None = None
    annotations: dict[str, str] = field(default_factory=dict)
    is_directly_deletable: bool = False


@dataclass(frozen=True, slots=True)
class FirstRows:
    """What to write for a new logical cluster, and what it then says of itself."""

    operations: Sequence[Operation]
    compares: Sequence[Compare]
    phase: str
    pending: tuple[str, ...]
    logical_cluster: JsonObject


class ClusterMaker:
    """
    Makes the first rows of logical clusters.

    Args:
        maker, types, bindings: As everywhere.
        external_url: ``https://host:port`` that users reach the server by; no trailing slash.
        root_ca: PEM text of the server's CA, for ``kube-root-ca.crt``.
        shard: This store's shard.
    """

    def __init__(
        self, maker: Maker, types: Types, bindings: Bindings, *, external_url: str, root_ca: str, shard: str = "root"
    ) -> None:
        self._maker = maker
        self._types = types
        self._bindings = bindings
        self._root_ca = root_ca
        self.shard = shard
        self.external_url = external_url.rstrip("/")

    def url(self, path: str) -> str:
        """Return the URL of a workspace by path or name."""
        return f"{self.external_url}/clusters/{path}"

    async def first_rows(self, new: NewCluster) -> FirstRows:
        """
        Return the rows of a logical cluster that does not exist yet.

        Raises:
            UnresolvableType: A type that its type extends is missing.
        """
        aliases = await self._types.aliases(new.kind)
        steps = initializers(aliases)
        wanted = default_bindings(aliases)
        made = await self._bindings.defaults(new.name, wanted) if len(wanted) <= MOST_BINDINGS else []
        is_bound = len(made) == len(wanted) and all(binding["status"]["phase"] == "Bound" for binding in made)
        done = {UNIVERSAL_INITIALIZER, BINDINGS_INITIALIZER} if is_bound else {UNIVERSAL_INITIALIZER}
        pending = tuple(step for step in steps if step not in done)
        logical_cluster = self._logical_cluster(new, steps, pending)
        operations: list[Operation] = [self._maker.put(LOGICAL_CLUSTERS, new.name, logical_cluster)]
        compares = [Compare(self._maker.key(LOGICAL_CLUSTERS, new.name, LOGICAL_CLUSTER_NAME), 0)]
        if new.path and new.path != new.name:
            operations.append(Put(path_key(new.path), path_value(new.name)))
            compares.append(Compare(path_key(new.path), 0))
        if new.creator is not None:
            operations.append(self._maker.create(CLUSTER_ROLE_BINDINGS, new.name, _admin_binding(new.creator)))
        for namespace in FIRST_NAMESPACES:
            operations += namespace_with_content(self._maker, new.name, namespace, self._root_ca)
        operations += [self._maker.put(BINDINGS, new.name, binding) for binding in made]
        return FirstRows(operations, compares, phase_of(pending), pending, logical_cluster)

    def _logical_cluster(self, new: NewCluster, steps: Sequence[str], pending: Sequence[str]) -> JsonObject:
        annotations = {
            **new.annotations,
            names.PATH_ANNOTATION: new.path or new.name,
            TYPE_ANNOTATION: new.kind.qualified,
            SHARD_ANNOTATION: self.shard,
        }
        if new.creator is not None:
            annotations[OWNER_ANNOTATION] = owner_annotation(new.creator)
        spec: JsonObject = {"initializers": list(steps)} if steps else {}
        if new.is_directly_deletable:
            spec["directlyDeletable"] = True
        if new.owner is not None:
            spec["owner"] = new.owner
        metadata = {
            "name": LOGICAL_CLUSTER_NAME,
            "annotations": annotations,
            "labels": phase_labels(pending),
            "finalizers": [DELETION_FINALIZER],
        }
        status = cluster_status({"URL": self.url(new.name)}, pending, self._maker.now())
        body = {"metadata": metadata, "spec": spec, "status": status}
        return self._maker.complete(LOGICAL_CLUSTERS, new.name, body)


def phase_of(pending: Sequence[str]) -> str:
    """Return the phase of a workspace with these initializers left."""
    return "Initializing" if pending else "Ready"


def phase_labels(pending: Sequence[str]) -> dict[str, str]:
    """Return the labels by which workspaces of a phase, or that wait for an initializer, are found."""
    return {PHASE_LABEL: phase_of(pending), **dict(names.initializer_label(step) for step in pending)}


def cluster_status(status: JsonObject, pending: Sequence[str], now: str) -> JsonObject:
    """Return the status of a logical cluster with these initializers left, conditions included."""
    said = [
        condition(
            "APIBindingsInitialized",
            BINDINGS_INITIALIZER not in pending,
            reason="WaitingOnAPIBindings",
            message="default APIBindings are not bound yet",
            severity="Info",
        ),
        initialized(pending),
    ]
    kept = {key: value for key, value in status.items() if key != "initializers"}
    waiting = {"initializers": list(pending)} if pending else {}
    return {
        **kept,
        "phase": phase_of(pending),
        **waiting,
        "conditions": merged(status.get("conditions") or (), said, now),
    }


def initialized(pending: Sequence[str]) -> JsonObject:
    """Return the condition WorkspaceInitialized."""
    text = f"initializers still exist: {', '.join(pending)}"
    return condition("WorkspaceInitialized", not pending, reason="InitializerExists", message=text, severity="Info")


def owner_annotation(user: User) -> str:
    """Return a user as the owner annotation has it: a ``UserInfo`` of ``authentication.k8s.io/v1``."""
    return orjson.dumps(user.as_json()).decode()


def owner_name(annotation: str) -> str:
    """Return the owner annotation cut down to the username, as a Ready workspace has it."""
    return orjson.dumps({"username": orjson.loads(annotation).get("username", "")}).decode()


def _admin_binding(creator: User) -> JsonObject:
    return {
        "metadata": {"name": ADMIN_BINDING},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": creator.name}],
    }
