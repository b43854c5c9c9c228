"""
WorkspaceTypes: what a kind of workspace extends, allows, binds and waits for.

Source: kcp-core 1.5, 1.6 step 1; kcp v0.11 ``tenancy.kcp.io/v1alpha1``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson

from fairlead_api import JsonObject, names
from fairlead_control_plane.kinds.keys import object_key
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.sharing.rows import CachedRows
from fairlead_control_plane.store.contract import Row, Store
from fairlead_control_plane.tenancy.paths import Tenancy

BINDINGS_INITIALIZER = "system:apibindings"
UNIVERSAL_INITIALIZER = "root:universal"
RESERVED_NAMES = frozenset({"any", "system"})

Reference = tuple[str, str]
"""(path, name) of a WorkspaceType, or of an APIExport."""


class UnresolvableType(Exception):
    """A type, or one it extends, cannot be found or extends itself; the text is for the user."""


@dataclass(frozen=True, slots=True)
class Limit:
    """``limitAllowedParents`` or ``limitAllowedChildren``: none at all, or at least one of these types."""

    none: bool = False
    types: tuple[Reference, ...] = ()

    def allows(self, aliases: Iterable[WorkspaceType]) -> bool:
        """Tell whether one of the aliases is among the types; no types at all allow any."""
        return not self.none and (not self.types or any((alias.path, alias.name) in self.types for alias in aliases))


@dataclass(frozen=True, slots=True)
class WorkspaceType:
    """
    A WorkspaceType as creation needs it.

    Attributes:
        cluster, path: Where it is: logical cluster name and canonical path.
        default_child: Of workspaces below one of this type; the CRD defaults it to root:universal.
        bindings: (path, export) each workspace of this type gets.
    """

    cluster: str
    path: str
    name: str
    has_initializer: bool = False
    extends: tuple[Reference, ...] = ()
    default_child: Reference = ("root", "universal")
    parents: Limit = Limit()
    children: Limit = Limit()
    bindings: tuple[Reference, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def qualified(self) -> str:
        """Return ``<path>:<name>``."""
        return f"{self.path}:{self.name}"

    @property
    def initializer(self) -> str:
        """Return the initializer's text: by the cluster's name, not its path."""
        return f"{self.cluster}:{self.name}"


class Types:
    """
    Finds WorkspaceTypes through a bounded cache.

    Args:
        store: Where they are.
        workspace_types: The record of ``workspacetypes.tenancy.kcp.io``.
        tenancy: Resolves paths.
    """

    def __init__(self, store: Store, workspace_types: Resource, tenancy: Tenancy, *, size: int = 1024) -> None:
        self._kind = workspace_types
        self._tenancy = tenancy
        self._types = CachedRows(store, _parse, size=size)

    async def at(self, path: str, name: str) -> WorkspaceType | None:
        """Return the type of that name in the workspace of that path, or None."""
        cluster = await self._tenancy.resolve(path) if path else None
        if cluster is None or not name or "/" in name:
            return None
        return await self._types.get(object_key(self._kind, cluster, "", name))

    async def find(self, path: str, name: str, *, below: str) -> WorkspaceType:
        """
        Return the type a new workspace asks for.

        Args:
            path: Where it is; ``""`` looks in ``below``, then in each workspace above it, then in root.
            name: Its name.
            below: Path of the parent workspace.

        Raises:
            UnresolvableType: There is none.
        """
        if path:
            found = await self.at(path, name)
            if found is None:
                raise UnresolvableType(f'workspace type "{path}:{name}" cannot be resolved')
            return found
        here = below
        while here:
            found = await self.at(here, name)
            if found is not None:
                return found
            here = names.parent(here)
        found = await self.at(names.ROOT, name)
        if found is None:
            raise UnresolvableType(f'workspace type "{name}" cannot be resolved')
        return found

    async def of(self, qualified: str) -> WorkspaceType:
        """
        Return the type named by ``<path>:<name>``, as logical clusters carry it.

        Raises:
            UnresolvableType: There is none.
        """
        path, _, name = qualified.rpartition(":")
        return await self.find(path or names.ROOT, name, below="")

    async def aliases(self, kind: WorkspaceType) -> Sequence[WorkspaceType]:
        """
        Return all types that ``kind`` extends, directly or not, each once, and last ``kind`` itself.

        Raises:
            UnresolvableType: One is missing or extends itself.
        """
        found: dict[str, WorkspaceType] = {}
        await self._extend(kind, found, ())
        return [*(other for name, other in found.items() if name != kind.qualified), kind]

    async def _extend(self, kind: WorkspaceType, found: dict[str, WorkspaceType], trail: tuple[str, ...]) -> None:
        if kind.qualified in trail:
            loop = " -> ".join(trail[trail.index(kind.qualified) :])
            raise UnresolvableType(f"circular dependency detected in workspace type {kind.qualified}: {loop}")
        if kind.qualified in found:
            return
        if trail:
            found[kind.qualified] = kind
        for path, name in kind.extends:
            other = await self.at(path, name)
            if other is None:
                raise UnresolvableType(f"unable to find inherited workspace type {path}:{name}")
            await self._extend(other, found, (*trail, kind.qualified))


def initializers(aliases: Sequence[WorkspaceType]) -> list[str]:
    """Return what a workspace of these aliases has to pass, built-in initializers included."""
    texts = [alias.initializer for alias in aliases if alias.has_initializer]
    if any(alias.bindings for alias in aliases):
        texts.append(BINDINGS_INITIALIZER)
    return texts


def default_bindings(aliases: Sequence[WorkspaceType]) -> list[Reference]:
    """Return (path, export) of the bindings a workspace of these aliases gets, each once, in order."""
    return list(dict.fromkeys(binding for alias in aliases for binding in alias.bindings))


def placement_problems(
    parent: WorkspaceType,
    parent_aliases: Sequence[WorkspaceType],
    child: WorkspaceType,
    aliases: Sequence[WorkspaceType],
) -> list[str]:
    """Return why a workspace of type ``child`` may not lie below one of type ``parent``; every alias's limits hold."""
    problems = [
        _problem(child, alias, alias.parents, "parent", parent, parent_aliases)
        for alias in aliases
        if not alias.parents.allows(parent_aliases)
    ]
    for alias in parent_aliases:
        if alias.children.none:
            return [*problems, f"workspace type {parent.qualified} cannot have any children"]
        if not alias.children.allows(aliases):
            problems.append(_problem(parent, alias, alias.children, "child", child, aliases))
    return problems


def _problem(
    limited: WorkspaceType,
    alias: WorkspaceType,
    limit: Limit,
    side: str,
    other: WorkspaceType,
    other_aliases: Sequence[WorkspaceType],
) -> str:
    if limit.none:
        return f"workspace type {limited.qualified} cannot have any parent"
    extends = "" if alias.qualified == limited.qualified else f" extends {alias.qualified}, which"
    allowed = " ".join(sorted(f"{path}:{name}" for path, name in limit.types))
    implemented = " ".join(sorted(each.qualified for each in other_aliases))
    return (
        f"workspace type {limited.qualified}{extends} only allows [{allowed}] {side} workspaces, "
        f"but {side} type {other.qualified} only implements [{implemented}]"
    )


def _parse(row: Row) -> WorkspaceType:
    obj: JsonObject = orjson.loads(memoryview(row.value)[4:])
    spec, metadata = obj.get("spec") or {}, obj["metadata"]
    cluster = row.key.split("/")[4]
    child = spec.get("defaultChildWorkspaceType") or {}
    return WorkspaceType(
        cluster=cluster,
        path=(metadata.get("annotations") or {}).get(names.PATH_ANNOTATION, cluster),
        name=metadata["name"],
        has_initializer=bool(spec.get("initializer")),
        extends=_references((spec.get("extend") or {}).get("with"), "name"),
        default_child=(child.get("path") or "root", child.get("name") or "universal"),
        parents=_limit(spec.get("limitAllowedParents")),
        children=_limit(spec.get("limitAllowedChildren")),
        bindings=_references(spec.get("defaultAPIBindings"), "export"),
        labels=tuple((spec.get("additionalWorkspaceLabels") or {}).items()),
    )


def _references(entries: Sequence[JsonObject] | None, name: str) -> tuple[Reference, ...]:
    return tuple((entry.get("path", ""), entry[name]) for entry in entries or ())


def _limit(entry: JsonObject | None) -> Limit:
    if not entry:
        return Limit()
    return Limit(bool(entry.get("none")), _references(entry.get("types"), "name"))
