"""
Placements and Locations: who may send work where, and selectors that mean something.

Using the Locations of another workspace needs the verb ``use`` on them there. It is asked of whoever makes the
Placement or changes its spec, and again by the scheduler, which learns from an annotation whom to ask about.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from fairlead_api import JsonObject
from fairlead_api.errors import Cause, Forbidden
from fairlead_api.field_errors import invalid_object
from fairlead_api.request import User
from fairlead_control_plane.admission.contract import Attributes
from fairlead_control_plane.kinds.strategies.selectors import validate_selector

GROUP = "scheduling.kcp.io"
REQUESTED_BY = "internal.scheduling.kcp.io/requested-by"
"""JSON with name, uid, groups and extra of the user whose spec it is; reserved, so users cannot set it."""

May = Callable[[User, str, str, str, str, str], Awaitable[bool]]
"""Whether a user may (user, verb, logical cluster, group, resource, name or "" for all)."""
Resolve = Callable[[str], Awaitable[str | None]]
"""Path to logical cluster name."""


class PlacementAdmission:
    """
    Checks Placements and Locations.

    Args:
        may: RBAC, in the workspace of the Locations.
        resolve: The tenancy's resolver.
    """

    def __init__(self, may: May, resolve: Resolve) -> None:
        self._may = may
        self._resolve = resolve

    async def admit(self, attributes: Attributes) -> None:
        """Note on a Placement whose wish its spec is."""
        obj = attributes.obj
        if obj is None or not _is(attributes, "placements") or not _has_new_spec(attributes):
            return
        annotations = obj["metadata"].get("annotations") or {}
        obj["metadata"]["annotations"] = {**annotations, REQUESTED_BY: _written(attributes.user)}

    async def validate(self, attributes: Attributes) -> None:
        """Refuse selectors that cannot match anything, and Locations the user may not use."""
        if attributes.obj is None or attributes.subresource or attributes.resource.group != GROUP:
            return
        causes = _wrong_selectors(attributes.resource.plural, attributes.obj.get("spec") or {})
        if causes:
            raise invalid_object(GROUP, attributes.resource.kind, attributes.name, causes)
        if _is(attributes, "placements") and _has_new_spec(attributes):
            await self._check_use(attributes, attributes.obj)

    async def _check_use(self, attributes: Attributes, obj: JsonObject) -> None:
        path = obj["spec"].get("locationWorkspace") or ""
        if not path or attributes.user.is_master:
            return
        cluster = await self._resolve(path)
        if cluster == attributes.cluster:
            return
        if cluster is None or not await self._may(attributes.user, "use", cluster, GROUP, "locations", ""):
            # One text for no such workspace and no right: nobody learns which workspaces exist.
            raise Forbidden(
                f'{attributes.resource.name} "{attributes.name}" is forbidden: no permission to use Locations of '
                f"workspace {path}",
                group=GROUP,
                kind=attributes.resource.plural,
                name=attributes.name,
            )


def _is(attributes: Attributes, plural: str) -> bool:
    resource = attributes.resource
    return resource.group == GROUP and resource.plural == plural and not attributes.subresource


def _has_new_spec(attributes: Attributes) -> bool:
    """Tell whether the write says anew what is wanted."""
    old, obj = attributes.old, attributes.obj or {}
    return old is None or old.get("spec") != obj.get("spec")


def _written(user: User) -> str:
    extra = {key: list(values) for key, values in sorted(user.extra.items())}
    body = {"name": user.name, "uid": user.uid, "groups": list(user.groups), "extra": extra}
    return json.dumps(body, separators=(",", ":"))


def _wrong_selectors(plural: str, spec: JsonObject) -> list[Cause]:
    if plural == "locations":
        return validate_selector(spec.get("instanceSelector"), "spec.instanceSelector")
    if plural != "placements":
        return []
    causes = validate_selector(spec.get("namespaceSelector"), "spec.namespaceSelector")
    for index, selector in enumerate(spec.get("locationSelectors") or ()):
        causes += validate_selector(selector, f"spec.locationSelectors[{index}]")
    return causes
