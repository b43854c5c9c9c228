"""
What may be written to workspaces, their types and logical clusters. All refusals are 403, with kcp's texts.

Source: kcp-core 1.5, 1.6, 4.6; kcp v0.11 pkg/admission/{workspace,workspacetype,workspacetypeexists,logicalcluster}.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fairlead_api import JsonObject, names
from fairlead_api.request import RequestInfo, User
from fairlead_control_plane.admission.contract import Attributes
from fairlead_control_plane.admission.refusing import forbidden
from fairlead_control_plane.sharing.objects import EXPORTS, LOGICAL_CLUSTERS, WORKSPACE_TYPES, WORKSPACES
from fairlead_control_plane.tenancy.creation import DELETION_FINALIZER, OWNER_ANNOTATION, owner_annotation
from fairlead_control_plane.tenancy.paths import REQUIRED_GROUPS_ANNOTATION, LogicalCluster, Tenancy
from fairlead_control_plane.tenancy.types import (
    RESERVED_NAMES,
    Types,
    UnresolvableType,
    WorkspaceType,
    placement_problems,
)

Allows = Callable[[User, RequestInfo], Awaitable[bool]]
"""RBAC in the logical cluster that the request info names, without the workspace's ``access`` check (deep review)."""

_PRIVILEGED = frozenset(
    {"system:masters", "system:kcp:logical-cluster-admin", "system:kcp:tenancy:workspace-bootstrapper"}
)
_PHASES = ("", "Scheduling", "Initializing", "Ready", "Unavailable", "Inactive", "Terminating", "Deleting")
_WITH_PATH = frozenset({EXPORTS, WORKSPACE_TYPES, ("scheduling.kcp.io", "locations")})


def _kind(attributes: Attributes) -> tuple[str, str]:
    resource = attributes.resource
    return ("", "") if resource.identity else (resource.group, resource.plural)


class WorkspaceAdmission:
    """
    Fills in and checks Workspaces: type, owner, required groups, rights, limits, what cannot change.

    Args:
        tenancy, types: As everywhere.
        allows: Asked for verb ``use`` on the type and on each it extends, in their own clusters.
    """

    def __init__(self, tenancy: Tenancy, types: Types, allows: Allows) -> None:
        self._tenancy = tenancy
        self._types = types
        self._allows = allows

    async def admit(self, attributes: Attributes) -> None:
        """See :class:`fairlead_control_plane.admission.contract.Plugin`."""
        obj = attributes.obj
        if _kind(attributes) != WORKSPACES or attributes.operation != "CREATE" or obj is None:
            return
        parent = await self._parent(attributes)
        spec = obj.setdefault("spec", {})
        try:
            kind = await self._asked_type(spec, parent)
        except UnresolvableType as error:
            raise forbidden(attributes, str(error)) from error
        spec["type"] = {"name": kind.name, "path": spec["type"].get("path") or kind.path}
        if kind.labels:
            obj["metadata"]["labels"] = dict(kind.labels) | (obj["metadata"].get("labels") or {})
        self._annotate(attributes, obj, parent)

    async def _parent(self, attributes: Attributes) -> LogicalCluster:
        parent = await self._tenancy.logical_cluster(attributes.cluster)
        if parent is None or not parent.type:
            raise forbidden(attributes, "workspace type cannot be resolved: the parent has no type")
        return parent

    async def _asked_type(self, spec: JsonObject, parent: LogicalCluster) -> WorkspaceType:
        if not (spec.get("type") or {}).get("name"):
            path, name = (await self._types.of(parent.type)).default_child
            spec["type"] = {"path": path, "name": name}
        return await self._types.find(spec["type"].get("path", ""), spec["type"]["name"], below=parent.path)

    def _annotate(self, attributes: Attributes, obj: JsonObject, parent: LogicalCluster) -> None:
        annotations = dict(obj["metadata"].get("annotations") or {})
        if not attributes.user.is_master:
            annotations[OWNER_ANNOTATION] = owner_annotation(attributes.user)
        if REQUIRED_GROUPS_ANNOTATION not in annotations or not attributes.user.is_master:
            annotations.pop(REQUIRED_GROUPS_ANNOTATION, None)
            if parent.required_groups:
                annotations[REQUIRED_GROUPS_ANNOTATION] = parent.required_groups
        if annotations:
            obj["metadata"]["annotations"] = annotations

    async def validate(self, attributes: Attributes) -> None:
        """See :class:`fairlead_control_plane.admission.contract.Plugin`."""
        if _kind(attributes) != WORKSPACES or attributes.obj is None:
            return
        if attributes.operation == "CREATE":
            self._validate_system_fields(attributes, attributes.obj)
            await self._validate_type(attributes, attributes.obj)
        elif attributes.operation == "UPDATE" and attributes.old is not None:
            self._validate_update(attributes, attributes.obj, attributes.old)

    def _validate_system_fields(self, attributes: Attributes, obj: JsonObject) -> None:
        if attributes.user.is_master:
            return
        for field, shown in (("cluster", "spec.Cluster"), ("URL", "spec.URL")):
            if obj["spec"].get(field):
                raise forbidden(attributes, f"{shown} can only be set by system privileged users")
        if (obj["metadata"].get("annotations") or {}).get(OWNER_ANNOTATION) != owner_annotation(attributes.user):
            text = f"expected user annotation {OWNER_ANNOTATION}={owner_annotation(attributes.user)}"
            raise forbidden(attributes, text)

    async def _validate_type(self, attributes: Attributes, obj: JsonObject) -> None:
        parent = await self._parent(attributes)
        asked = obj["spec"].get("type") or {}
        if not asked.get("path"):
            raise forbidden(attributes, "spec.type.path must be set")
        try:
            kind = await self._types.find(asked["path"], asked["name"], below=parent.path)
            aliases = await self._types.aliases(kind)
            parent_kind = await self._types.of(parent.type)
            parent_aliases = await self._types.aliases(parent_kind)
        except UnresolvableType as error:
            raise forbidden(attributes, str(error)) from error
        for alias in aliases:
            if not await self._may_use(attributes.user, alias):
                text = f"unable to use workspace type {alias.qualified}: missing verb='use' permission on workspacetype"
                raise forbidden(attributes, text)
        if problems := placement_problems(parent_kind, parent_aliases, kind, aliases):
            raise forbidden(attributes, problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]")

    async def _may_use(self, user: User, kind: WorkspaceType) -> bool:
        if user.is_master:
            return True
        info = RequestInfo(
            kind.cluster, "", "use", True, "tenancy.kcp.io", "v1alpha1", resource="workspacetypes", name=kind.name
        )
        return await self._allows(user, info)

    def _validate_update(self, attributes: Attributes, obj: JsonObject, old: JsonObject) -> None:
        new_spec, old_spec = obj.get("spec") or {}, old.get("spec") or {}
        if old_spec.get("cluster") and not new_spec.get("cluster"):
            raise forbidden(attributes, "spec.cluster cannot be unset")
        if old_spec.get("URL") and not new_spec.get("URL"):
            raise forbidden(attributes, "spec.URL cannot be unset")
        if new_spec.get("cluster") != old_spec.get("cluster"):
            raise forbidden(attributes, "spec.cluster is immutable")
        if new_spec.get("URL") != old_spec.get("URL") and not attributes.user.is_master:
            raise forbidden(attributes, "spec.URL can only be changed by system privileged users")
        if new_spec.get("type") != old_spec.get("type"):
            raise forbidden(attributes, "spec.type is immutable")
        self._validate_annotations(attributes, obj, old)

    def _validate_annotations(self, attributes: Attributes, obj: JsonObject, old: JsonObject) -> None:
        """Refuse to change whose workspace it is and who may enter; only the system does."""
        if attributes.user.is_master:
            return
        new, before = obj["metadata"].get("annotations") or {}, old["metadata"].get("annotations") or {}
        for key in (OWNER_ANNOTATION, REQUIRED_GROUPS_ANNOTATION):
            if new.get(key) != before.get(key):
                raise forbidden(attributes, f"annotation {key} can only be changed by system privileged users")


class WorkspaceTypeAdmission:
    """Checks WorkspaceTypes: reserved names, paths in all references, ``root`` only in root."""

    async def admit(self, attributes: Attributes) -> None:
        """See :class:`fairlead_control_plane.admission.contract.Plugin`; changes nothing."""

    async def validate(self, attributes: Attributes) -> None:
        """See :class:`fairlead_control_plane.admission.contract.Plugin`."""
        obj = attributes.obj
        if _kind(attributes) != WORKSPACE_TYPES or obj is None or attributes.operation not in {"CREATE", "UPDATE"}:
            return
        name = obj["metadata"].get("name", "")
        if name in RESERVED_NAMES:
            raise forbidden(attributes, f'workspacetypes name "{name}" is reserved')
        if name == "root" and attributes.cluster != names.ROOT:
            raise forbidden(attributes, "root workspace type can only be created in root cluster")
        spec = obj.get("spec") or {}
        child = spec.get("defaultChildWorkspaceType")
        if child and not child.get("path"):
            raise forbidden(attributes, ".spec.defaultChildWorkspaceType.path must be set")
        for field, entries in (
            ("extend.with", (spec.get("extend") or {}).get("with")),
            ("limitAllowedChildren.types", (spec.get("limitAllowedChildren") or {}).get("types")),
            ("limitAllowedParents.types", (spec.get("limitAllowedParents") or {}).get("types")),
        ):
            for index, entry in enumerate(entries or ()):
                if not entry.get("path"):
                    raise forbidden(attributes, f".spec.{field}[{index}].path must be set")


class LogicalClusterAdmission:
    """Protects the logical cluster: who makes and deletes it, and the order of its initialization."""

    async def admit(self, attributes: Attributes) -> None:
        """Put the finalizer on what the system creates."""
        if _kind(attributes) == LOGICAL_CLUSTERS and attributes.operation == "CREATE" and attributes.obj is not None:
            metadata = attributes.obj["metadata"]
            metadata["finalizers"] = sorted({*metadata.get("finalizers", ()), DELETION_FINALIZER})

    async def validate(self, attributes: Attributes) -> None:
        """See :class:`fairlead_control_plane.admission.contract.Plugin`."""
        if _kind(attributes) != LOGICAL_CLUSTERS or _PRIVILEGED & set(attributes.user.groups):
            return
        if attributes.operation == "CREATE":
            raise forbidden(attributes, "LogicalCluster cannot be created")
        old = attributes.old or {}
        if attributes.operation == "DELETE" and not (old.get("spec") or {}).get("directlyDeletable"):
            raise forbidden(attributes, "LogicalCluster cannot be deleted")
        if attributes.operation == "UPDATE" and attributes.obj is not None:
            problem = _initialization_problem(attributes.obj, old) or _marks_problem(attributes.obj, old)
            if problem:
                raise forbidden(attributes, problem)


def _initialization_problem(new: JsonObject, old: JsonObject) -> str:
    """Return what breaks the rules of initialization, ``""`` for nothing."""
    new_status, old_status = new.get("status") or {}, old.get("status") or {}
    phase, before = new_status.get("phase", ""), old_status.get("phase", "")
    wanted, was_wanted = (set((each.get("spec") or {}).get("initializers") or ()) for each in (new, old))
    left, were_left = (set(each.get("initializers") or ()) for each in (new_status, old_status))
    starts = before != "Initializing" and phase == "Initializing"
    checks = (
        (wanted != was_wanted, "spec.initializers is immutable"),
        (starts and left != wanted, "status.initializers do not equal spec.initializers"),
        (not starts and phase == "Initializing" and not left <= were_left, "status.initializers must not grow"),
        (
            phase != "Initializing" and left and left != were_left,
            "status.initializers is immutable after initilization",
        ),
        (before == "Initializing" and phase != "Initializing" and bool(left), "status.initializers is not empty"),
        (_ordinal(phase) < _ordinal(before), f'cannot transition from "{before}" to "{phase}"'),
    )
    return next((text for is_broken, text in checks if is_broken), "")


def _marks_problem(new: JsonObject, old: JsonObject) -> str:
    """Return what nobody but the system may change on a logical cluster: what it is, whose it is, how it is deleted."""
    after, before = (each.get("spec") or {} for each in (new, old))
    for field in sorted({*after, *before}):
        if (after.get(field) or None) != (before.get(field) or None):  # a default may have been filled in
            return f"spec.{field} is immutable"
    for marks in ("labels", "annotations"):
        after, before = (each["metadata"].get(marks) or {} for each in (new, old))
        for key in sorted({*after, *before}):
            domain = key.partition("/")[0]
            if (domain == "kcp.io" or domain.endswith(".kcp.io")) and after.get(key) != before.get(key):
                return f"{marks[:-1]} {key} can only be changed by system privileged users"
    if DELETION_FINALIZER in old["metadata"].get("finalizers", ()) and DELETION_FINALIZER not in new["metadata"].get(
        "finalizers", ()
    ):
        return f"finalizer {DELETION_FINALIZER} can only be removed by system privileged users"
    return ""


def _ordinal(phase: str) -> int:
    return _PHASES.index(phase) if phase in _PHASES else len(_PHASES)


class PathAnnotation:
    """Keeps ``kcp.io/path`` on what others refer to by path: exports, workspace types, locations."""

    def __init__(self, tenancy: Tenancy) -> None:
        self._tenancy = tenancy

    async def admit(self, attributes: Attributes) -> None:
        """See :class:`fairlead_control_plane.admission.contract.Plugin`."""
        if _kind(attributes) not in _WITH_PATH or attributes.obj is None or attributes.operation == "DELETE":
            return
        path = await self._tenancy.path_of(attributes.cluster)
        metadata = attributes.obj["metadata"]
        metadata["annotations"] = {**(metadata.get("annotations") or {}), names.PATH_ANNOTATION: path}

    async def validate(self, attributes: Attributes) -> None:
        """See :class:`fairlead_control_plane.admission.contract.Plugin`; nothing is left to check."""
