"""Where the registry's parts meet: over HTTP by :meth:`Registry.serve`, in process by the other methods."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import orjson

from fairlead_api import JsonObject
from fairlead_api.errors import NotFound
from fairlead_api.request import SYSTEM, RequestInfo, User
from fairlead_api.selectors import Selector
from fairlead_control_plane.admission.chain import Chain
from fairlead_control_plane.kinds.catalog import Catalog
from fairlead_control_plane.kinds.change import Change, Effect, Effects
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.registry import (
    applying,
    binding,
    body,
    deleting,
    eviction,
    managing,
    media,
    patching,
    reading,
    writing,
)
from fairlead_control_plane.registry.call import Parts, Target, VirtualResource
from fairlead_control_plane.registry.committing import Written
from fairlead_control_plane.registry.options import BACKGROUND, DeleteOptions, ListOptions, WriteOptions
from fairlead_control_plane.registry.preparing import copied
from fairlead_control_plane.registry.rendering import shown
from fairlead_control_plane.registry.serving import Serving
from fairlead_control_plane.store.contract import Store
from fairlead_control_plane.watch.hub import Hub
from fairlead_control_plane.watch.selection import ALL, of_labels
from fairlead_machinery.web import Request, Response


class Registry:
    """
    One REST implementation for every kind.

    The in-process methods take and return objects in the resource's storage version, resourceVersion included, and go
    through the same code as requests do (admission and effects too). Authorization is the caller's business.
    """

    def __init__(  # noqa: PLR0913 - the surroundings; all but three are keywords
        self,
        store: Store,
        catalog: Catalog,
        hub: Hub,
        *,
        admission: Chain | None = None,
        effects: Sequence[Effects] = (),
        virtual_resources: Mapping[tuple[str, str], VirtualResource] | None = None,
        now_s: Callable[[], float] = time.time,
        marks_cluster: bool = True,
    ) -> None:
        virtual = dict(virtual_resources or {})
        self.parts = Parts(
            store,
            catalog,
            hub,
            admission or Chain(),
            tuple(effects),
            virtual,
            marks_cluster=marks_cluster,
            now_s=now_s,
        )
        virtual.setdefault(("", "pods/binding"), partial(binding.bind, self.parts))
        virtual.setdefault(("", "pods/eviction"), partial(eviction.evict, self.parts))
        self._serving = Serving(self.parts)

    async def serve(self, info: RequestInfo, request: Request, user: User) -> Response:
        """
        Answer a request for a resource that has been authenticated and authorized.

        Raises:
            ApiError: Anything but success.
        """
        return await self._serving.serve(info, request, user)

    async def get(self, resource: Resource, cluster: str, namespace: str, name: str) -> JsonObject:
        """Return an object; raises ``NotFound``."""
        target = _target(resource, cluster, namespace, name)
        row = await reading.get_row(self.parts, target)
        return _shown(target, row.value, row.mod_revision)

    async def list(
        self, resource: Resource, cluster: str = "", namespace: str = "", selector: Selector | None = None
    ) -> tuple[list[JsonObject], int]:
        """
        Return all objects and the revision they were read at.

        Args:
            cluster: ``""`` for all logical clusters.
            namespace: ``""`` for all of the cluster.
        """
        target = _target(resource, cluster or "*", namespace)
        selected = ALL if selector is None else of_labels(selector)
        page = await reading.list_page(self.parts, target, ListOptions(), selected)
        return [_shown(target, row.value, row.mod_revision) for row in page.rows], page.revision

    async def create(
        self, resource: Resource, cluster: str, obj: JsonObject, *, user: User = SYSTEM, manager: str = "fairlead"
    ) -> JsonObject:
        """Create an object (not changed) and return it as stored."""
        new = copied(obj)
        target = _target(resource, cluster, new["metadata"].get("namespace", ""), user=user)
        options = WriteOptions(manager=manager)
        new = body.finish(body.checked_kind(new, target), target, options.validation, [])
        manage = managing.by(self.parts, target, options)
        return _result(target, await writing.create(self.parts, target, new, options, manage))

    async def update(
        self,
        resource: Resource,
        cluster: str,
        obj: JsonObject,
        *,
        subresource: str = "",
        user: User = SYSTEM,
        manager: str = "fairlead",
    ) -> JsonObject:
        """Replace an object; with a ``resourceVersion`` in it, only that version."""
        data = obj["metadata"]
        target = _target(resource, cluster, data.get("namespace", ""), data["name"], subresource, user)
        raw = orjson.dumps(obj)

        async def change(old: JsonObject | None) -> JsonObject:
            del old
            new: JsonObject = orjson.loads(raw)
            return body.finish(body.checked_kind(new, target), target, "Ignore", [])

        return await self._write(target, change, manager, may_create=resource.strategy.create_on_update)

    async def modify(  # noqa: PLR0913 - keywords
        self,
        resource: Resource,
        cluster: str,
        namespace: str,
        name: str,
        change: Callable[[JsonObject], JsonObject | None],
        *,
        subresource: str = "",
        user: User = SYSTEM,
        manager: str = "fairlead",
        effect: Effect | None = None,
    ) -> JsonObject:
        """
        Read, change and write an object, again when somebody else was faster.

        Args:
            change: Gets a fresh dict it may change; returns the new object, or None to leave it as it is.
            effect: Written in the same transaction; its failed compares end in ``Conflict``. Nothing of it is
                written when the object stays as it is.
        """
        target = _target(resource, cluster, namespace, name, subresource, user)

        async def changed(old: JsonObject | None) -> JsonObject:
            if old is None:
                raise NotFound(f'{resource.name} "{name}" not found')
            fresh = copied(old)
            new = change(fresh)
            if new is None:
                return old
            return body.finish(body.checked_kind(copied(new), target), target, "Ignore", [])

        return await self._write(target, changed, manager, effect=effect)

    async def apply(  # noqa: PLR0913 - keywords
        self,
        resource: Resource,
        cluster: str,
        config: JsonObject,
        *,
        manager: str,
        force: bool = False,
        subresource: str = "",
        user: User = SYSTEM,
    ) -> JsonObject:
        """Apply a configuration on the server side, creating the object when there is none."""
        data = config["metadata"]
        target = _target(resource, cluster, data.get("namespace", ""), data["name"], subresource, user)
        options = WriteOptions(manager=manager, asked_manager=manager, force=force)
        return _result(target, await applying.apply(self.parts, target, config, options))

    async def patch(  # noqa: PLR0913 - keywords
        self,
        resource: Resource,
        cluster: str,
        namespace: str,
        name: str,
        patch: object,
        *,
        kind: str = media.MERGE_PATCH,
        subresource: str = "",
        user: User = SYSTEM,
        manager: str = "fairlead",
    ) -> JsonObject:
        """Patch an object; ``kind`` is a media type of ``registry.media``, ``patch`` the decoded document."""
        target = _target(resource, cluster, namespace, name, subresource, user)
        options = WriteOptions(manager=manager)
        change, _ = patching.patch_of(orjson.dumps(patch), kind, target, options.validation)
        manage = managing.by(self.parts, target, options)
        return _result(target, await patching.patch(self.parts, target, change, options, manage, []))

    async def delete(  # noqa: PLR0913 - keywords
        self,
        resource: Resource,
        cluster: str,
        namespace: str,
        name: str,
        *,
        uid: str | None = None,
        version: str | None = None,
        propagation: str | None = None,
        grace_s: int | None = None,
        user: User = SYSTEM,
    ) -> JsonObject | None:
        """
        Delete an object; return it while something still holds it, None when it is gone.

        Raises:
            NotFound, Conflict (another uid or resourceVersion), ApiError.
        """
        target = _target(resource, cluster, namespace, name, user=user)
        options = DeleteOptions(uid=uid, version=version, propagation=propagation or BACKGROUND, grace_s=grace_s)
        deleted = await deleting.delete(self.parts, target, options)
        return None if deleted.is_gone else _shown(target, deleted.value, deleted.revision)

    async def _write(
        self,
        target: Target,
        change: writing.Change,
        manager: str,
        *,
        may_create: bool = False,
        effect: Effect | None = None,
    ) -> JsonObject:
        options = WriteOptions(manager=manager)
        manage = managing.by(self.parts, target, options)
        parts = self.parts if effect is None else replace(self.parts, effects=(*self.parts.effects, _always(effect)))
        written = await writing.update(parts, target, change, options, manage, may_create=may_create)
        return _result(target, written)


def _always(effect: Effect) -> Effects:
    async def given(change: Change) -> Effect:
        del change
        return effect

    return given


def _target(
    resource: Resource,
    cluster: str,
    namespace: str = "",
    name: str = "",
    subresource: str = "",
    user: User = SYSTEM,
) -> Target:
    place = namespace if resource.namespaced else ""
    return Target(resource, resource.storage_version, cluster, place, name, subresource, user)


def _shown(target: Target, value: bytes, revision: int) -> JsonObject:
    return shown(orjson.loads(memoryview(value)[4:]), revision, target.version, target.api_version)


def _result(target: Target, written: Written) -> JsonObject:
    return _shown(target, written.value, written.revision)
