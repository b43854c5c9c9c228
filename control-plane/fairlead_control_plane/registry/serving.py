"""The registry over HTTP: one method a verb, each from a request to a response."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

import orjson

from fairlead_api import JsonObject
from fairlead_api.errors import ApiError, NotFound, Unclassified
from fairlead_api.request import RequestInfo, User
from fairlead_control_plane.registry import (
    applying,
    body,
    deleting,
    lookup,
    managing,
    media,
    messages,
    metadata,
    patching,
    posted,
    reading,
    scale_applying,
    scaling,
    writing,
)
from fairlead_control_plane.registry.aside import WHO, aside
from fairlead_control_plane.registry.bounds import is_long
from fairlead_control_plane.registry.call import Parts, Target
from fairlead_control_plane.registry.committing import Written
from fairlead_control_plane.registry.joined import JoinedItems
from fairlead_control_plane.registry.options import (
    WriteOptions,
    delete_options,
    list_options,
    parse_version,
    write_options,
)
from fairlead_control_plane.registry.rendering import Renderer
from fairlead_control_plane.registry.watching import Watch
from fairlead_control_plane.watch.selection import selection
from fairlead_machinery.web import Request, Response, error_response

T = TypeVar("T")
Verb = Callable[[Target, Request], Awaitable[Response]]


class Serving:
    """Serves requests that have been authenticated and authorized."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._joined = JoinedItems()
        self._verbs: dict[str, Verb] = {
            "get": self._get,
            "list": self._list,
            "watch": self._watch,
            "create": self._create,
            "update": self._update,
            "patch": self._patch,
            "delete": self._delete,
            "deletecollection": self._delete_collection,
        }

    async def serve(self, info: RequestInfo, request: Request, user: User) -> Response:
        """
        Answer one request.

        Raises:
            ApiError: Anything but success.
        """
        WHO.set(info.cluster)
        target = await lookup.find_target(self._parts, info, user)
        try:
            response = await self._verbs[info.verb](target, request)
        except ApiError as error:
            if not target.warnings:
                raise
            response = error_response(error)  # what was odd is told also of what was refused
        response.warnings.extend(target.warnings)
        return response

    def _renderer(self, target: Target, request: Request, *, is_list: bool = False, is_watch: bool = False) -> Renderer:
        accept, include = request.headers.get("accept", ""), request.query.get("includeObject", "")
        go_type = body.go_type(target) + ("List" if is_list else "") if "as=" in accept else ""
        form = media.accepted(
            accept,
            is_list=is_list,
            is_watch=is_watch,
            include=include,
            go_type=go_type,
            has_columns=not target.resource.strategy.virtual,
        )
        return Renderer(target, form, self._parts.now_s(), has_columns=not is_watch)

    async def _get(self, target: Target, request: Request) -> Response:
        renderer = self._renderer(target, request)
        row = await reading.get_row(self._parts, target, request.query.get("resourceVersion", ""))
        if target.subresource == "scale":
            return await self._scale(target, renderer, row.value, row.mod_revision)
        if renderer.decodes and len(row.value) > _LARGE_BYTES:
            content = await aside(lambda: renderer.one(row.value, row.mod_revision), is_large=True)
        else:
            content = renderer.one(row.value, row.mod_revision)
        return await _answer(renderer, content)

    async def _list(self, target: Target, request: Request) -> Response:
        options = list_options(request.query, watching=False)
        renderer = self._renderer(target, request, is_list=True)
        selected = selection(options.label_selector, options.field_selector, target.version, target.resource)
        page = await reading.list_page(self._parts, target, options, selected)
        joined = self._joined if selected.is_everything and not options.limit else None

        def rendered() -> bytes:
            return renderer.bytes_list(page.rows, page.metadata(), joined, target.prefix)

        return await _answer(renderer, await aside(rendered, is_large=_takes_long(renderer, page)))

    async def _watch(self, target: Target, request: Request) -> Response:
        options = list_options(request.query, watching=True)
        renderer = self._renderer(target, request, is_watch=True)
        fields = options.field_selector
        if target.name:
            fields = ",".join(part for part in (fields, f"metadata.name={target.name}") if part)
        selected = selection(options.label_selector, fields, target.version, target.resource)
        parse_version(options.version)
        watch = Watch(self._parts, target, options, selected, renderer)
        return Response(stream=watch.frames(), has_messages=True)

    async def _create(self, target: Target, request: Request) -> Response:
        key = f"{target.resource.plural}/{target.subresource}" if target.subresource else target.resource.plural
        handler = self._parts.virtual.get((target.resource.group, key))
        if handler is not None:
            return await self._virtual(target, request, handler)
        if target.subresource or target.resource.strategy.virtual:
            raise messages.no_such_resource()
        if target.name:
            raise messages.method_not_allowed()
        options = write_options(request.query, request.query_all, _agent(request), "CreateOptions")
        renderer = self._renderer(target, request)
        raw = await request.body()
        content_type = request.headers.get("content-type", "")
        obj = await _read(raw, lambda: body.decode(raw, content_type, target, options.validation))
        version = str(obj["metadata"].get("resourceVersion") or "")
        if version.strip("0") and version.isdecimal() and not options.dry_run:
            raise Unclassified("resourceVersion should not be set on objects to be created")
        manage = managing.by(self._parts, target, options)
        written = await writing.create(self._parts, target, obj, options, manage)
        return await _answer(renderer, renderer.one(written.value, written.revision), 201)

    async def _virtual(
        self, target: Target, request: Request, handler: Callable[[Target, JsonObject], Awaitable[JsonObject]]
    ) -> Response:
        options = write_options(request.query, request.query_all, _agent(request), "CreateOptions")
        target = replace(target, dry_run=options.dry_run)
        renderer = self._renderer(target, request)
        raw = await request.body()
        content_type = request.headers.get("content-type", "")
        if target.subresource:
            asked = posted.as_posted(target)
            parsed = body.decode(raw, content_type, asked, options.validation)
            metadata.check_place(parsed, asked.resource, target.namespace)
            managing.by(self._parts, asked, options)(parsed, None)
            return await _answer(renderer, orjson.dumps(await handler(target, parsed)), 201)
        parsed = body.decode(raw, content_type, target, options.validation)
        metadata.wipe(parsed["metadata"])
        if target.resource.namespaced:
            metadata.check_place(parsed, target.resource, target.namespace)
        else:
            parsed["metadata"].pop("namespace", None)
        managing.by(self._parts, target, options)(parsed, None)
        found = await handler(target, parsed)
        # Reviews are never stored, but who wrote what in them is noted all the same.
        owners = parsed["metadata"].get("managedFields")
        shown = {
            **found,
            "metadata": {**(found.get("metadata") or {}), **({"managedFields": owners} if owners else {})},
        }
        if shown["kind"] == "SelfSubjectReview":
            shown["metadata"] = {"creationTimestamp": self._parts.timestamp()}
        return await _answer(renderer, renderer.unstored(shown), 201)

    async def _update(self, target: Target, request: Request) -> Response:
        options = write_options(request.query, request.query_all, _agent(request), "UpdateOptions")
        renderer = self._renderer(target, request)
        raw = sent = await request.body()
        content_type, validation = request.headers.get("content-type", ""), options.validation
        if target.subresource == "scale":
            parsed = scaling.decode(raw, content_type, target, validation)
            return await self._rescale(target, renderer, options, lambda _: scaling.checked(target, parsed))
        obj = await _read(raw, lambda: body.decode(sent, content_type, target, validation))
        metadata.check_place(obj, target.resource, target.namespace, target.name)
        raw = orjson.dumps(obj)

        async def change(old: JsonObject | None) -> JsonObject:
            fresh: JsonObject = orjson.loads(raw)
            if old is not None:
                writing.check_version(target, fresh)
            return fresh

        manage = managing.by(self._parts, target, options)
        may_create = target.resource.strategy.create_on_update and not target.subresource
        written = await writing.update(self._parts, target, change, options, manage, may_create=may_create)
        return await _written(renderer, written)

    async def _patch(self, target: Target, request: Request) -> Response:
        kind = media.patch_type(request.headers.get("content-type", ""), patching.allowed_types(target))
        is_apply = kind == media.APPLY_YAML
        options = write_options(request.query, request.query_all, _agent(request), "PatchOptions", applying=is_apply)
        renderer = self._renderer(target, request)
        raw = await request.body()
        if is_apply:
            config, problems = await _read(raw, lambda: applying.configuration(raw, options.validation))
            if target.subresource == "scale":
                written = await scale_applying.apply(self._parts, target, config, options)
                return await self._scale(target, renderer, written.value, written.revision)
            applied = await applying.apply(self._parts, target, config, options, problems=problems)
            return await _written(renderer, applied)
        shaped = scaling.as_scale(target) if target.subresource == "scale" else target
        change, problems = await _read(raw, lambda: patching.patch_of(raw, kind, shaped, options.validation))
        if target.subresource == "scale":

            def rescaled(scale: JsonObject) -> JsonObject:
                return scaling.patched(target, change, scale, options.validation, problems)

            return await self._rescale(target, renderer, options, rescaled, is_long=is_long(raw))
        manage = managing.by(self._parts, target, options)
        long = is_long(raw)
        written = await patching.patch(self._parts, target, change, options, manage, problems, is_long=long)
        return await _written(renderer, written)

    async def _scale(self, target: Target, renderer: Renderer, value: bytes, revision: int) -> Response:
        return await _answer(renderer, renderer.scale(scaling.scale_of(target, renderer.decode(value, revision))))

    async def _rescale(
        self,
        target: Target,
        renderer: Renderer,
        options: WriteOptions,
        change: patching.Patch,
        *,
        is_long: bool = False,
    ) -> Response:
        """Update an object through its Scale; ``change`` makes the new Scale from the present one."""

        async def changed(old: JsonObject | None) -> JsonObject:
            if old is None:
                raise messages.not_found(target.resource, target.name)
            scale = await aside(lambda: change(scaling.scale_of(target, old)), is_large=is_long)
            return body.finish(scaling.scaled(target, old, scale), target, "Ignore", [])

        manage = scaling.managing(target, managing.by(self._parts, target, options))
        written = await writing.update(self._parts, target, changed, options, manage)
        return await self._scale(target, renderer, written.value, written.revision)

    async def _delete(self, target: Target, request: Request) -> Response:
        options = delete_options(request.query, await _options_body(request))
        renderer = self._renderer(target, request)
        deleting.warn(target, options)
        deleted = await deleting.delete(self._parts, target, options)
        code = deleting.status_code(deleted, options)
        if deleting.answers_with_object(target, deleted):
            return await _answer(renderer, renderer.one(deleted.value, deleted.revision), code)
        uid = orjson.loads(memoryview(deleted.value)[4:])["metadata"]["uid"]
        return await _answer(renderer, orjson.dumps(deleting.success(target, uid)), code)

    async def _delete_collection(self, target: Target, request: Request) -> Response:
        wanted = list_options(request.query, watching=False)
        options = delete_options({"dryRun": "All"} if "dryRun" in request.query else {}, await _options_body(request))
        renderer = self._renderer(target, request, is_list=True)
        selected = selection(wanted.label_selector, wanted.field_selector, target.version, target.resource)
        deleting.warn(target, options)
        page = await reading.list_page(self._parts, target, wanted, selected)
        for row in page.rows:
            try:
                await deleting.delete(self._parts, lookup.target_of(target, row.key), options)
            except NotFound:
                continue  # somebody else deleted it; that is what was asked for
        content = await aside(
            lambda: renderer.bytes_list(page.rows, page.metadata()), is_large=_takes_long(renderer, page)
        )
        return await _answer(renderer, content)


async def _read(raw: bytes, read: Callable[[], T]) -> T:
    """Read a body; a long one beside the loop, so that nobody else waits for it."""
    return await aside(read, is_large=is_long(raw))


def _agent(request: Request) -> str:
    return request.headers.get("user-agent", "")


async def _options_body(request: Request) -> JsonObject:
    raw = await request.body()
    if not raw:
        return {}
    return body.parse_delete_options(raw, request.headers.get("content-type", ""))


async def _answer(renderer: Renderer, content: bytes, code: int = 200) -> Response:
    if renderer.is_yaml and len(content) > _LARGE_YAML_BYTES:
        encoded = await aside(lambda: renderer.encode(content), is_large=True)
    else:
        encoded = renderer.encode(content)
    return Response(code, encoded, renderer.content_type)


def _takes_long(renderer: Renderer, page: reading.Page) -> bool:
    """Tell whether a list is shown beside the loop: where its objects are decoded for it, and they are not few."""
    return renderer.decodes and sum(len(row.value) for row in page.rows) > _LARGE_BYTES


_LARGE_BYTES, _LARGE_YAML_BYTES = 64 << 10, 4 << 10
"""Of what is decoded to be shown, and of what is written as YAML, in one turn of the loop."""


async def _written(renderer: Renderer, written: Written) -> Response:
    return await _answer(renderer, renderer.one(written.value, written.revision), 201 if written.is_new else 200)
