"""
The one Kubernetes client: raw aiohttp and orjson, no models.

::

    async with Client(credentials) as client:
        deployment = await client.at("root:org").get(DEPLOYMENTS, "web", namespace="default")
        async for event in client.watch(DEPLOYMENTS, resource_version="5"):
            ...

Errors of the server are raised as the classes of :mod:`fairlead_api.errors`; a server that cannot be reached raises
:class:`Unreachable`, which is no answer and therefore never means that an object is absent.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlencode

import orjson

from fairlead_api import JsonObject
from fairlead_api.errors import ApiError, Expired, NotFound, from_status
from fairlead_machinery.kubeconfig import Credentials
from fairlead_machinery.transport import Transport, reason_of
from fairlead_machinery.transport import Unreachable as Unreachable  # noqa: PLC0414 - re-exported: callers catch it

if TYPE_CHECKING:
    from aiohttp import ClientResponse

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

REQUEST_TIMEOUT_S = 60.0
MAX_RETRIES = 5
MAX_RETRY_AFTER_S = 10
MAX_LINE_BYTES = 64 * 1024 * 1024
PAGE_SIZE = 500

Query = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Gvr:
    """A resource: group (``""`` for core), version and plural name."""

    group: str
    version: str
    resource: str

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Return the URL path below the server or workspace."""
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        if namespace:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.resource, name, subresource) if part]
        # Kept readable: ":" is legal in a path segment and stands in RBAC names and identities.
        return "/" + "/".join(quote(part, safe=":@~") for part in parts)

    def __str__(self) -> str:
        """Write it as kubectl takes it: ``deployments.v1.apps``."""
        return ".".join(part for part in (self.resource, self.version, self.group) if part)


class Event(NamedTuple):
    """One watch event; ``type`` is ADDED, MODIFIED, DELETED or BOOKMARK."""

    type: str
    object: JsonObject


@dataclass(frozen=True, slots=True)
class Answer:
    """A raw answer."""

    code: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Decode the body."""
        return orjson.loads(self.body)


class Client:
    """
    A server, seen as one user at one base path.

    Args:
        credentials: Where and as whom.
        connections: Upper bound of connections open at once, watches included; 0 for none.
        user_agent: Shown in audit logs of the server.
        has_many_watches: Whether watches are to share connections; see :class:`fairlead_machinery.transport.Transport`.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        connections: int = 100,
        user_agent: str = "fairlead",
        base: str | None = None,
        has_many_watches: bool = False,
    ) -> None:
        scheme, _, rest = credentials.server.partition("://")
        host, slash, path = rest.partition("/")
        self.host = f"{scheme}://{host}"
        self.base = (slash + path).rstrip("/") if base is None else base
        self.transport = Transport(credentials, connections, user_agent, has_many_watches=has_many_watches)

    def at(self, cluster: str) -> Client:
        """Return the same server and user at ``/clusters/<cluster>``; shares connections, needs no closing."""
        return self.below(f"/clusters/{quote(cluster, safe=':*@')}")

    def below(self, base: str) -> Client:
        """Return the same server and user at another base path, such as ``/services/syncer/...``."""
        other = Client.__new__(Client)
        other.host, other.base, other.transport = self.host, base.rstrip("/"), self.transport
        other.waits = self.waits
        return other

    @property
    def credentials(self) -> Credentials:
        """Return the credentials in use."""
        return self.transport.credentials

    async def __aenter__(self) -> Client:
        """Open the connection pool."""
        await self.transport.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        await self.close()

    async def close(self) -> None:
        """Close all connections, of every view of this server."""
        await self.transport.close()

    waits: bool = True
    """Whether a ``Retry-After`` is waited out here; off for who has a queue to come back from with newer words."""

    # --- one request -------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        open_timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> AsyncIterator[ClientResponse]:
        """
        Send a request and hand out the answer unread, whatever its status; its head has to come in time.

        Raises:
            Unreachable: No answer came.
        """
        import aiohttp  # noqa: PLC0415 - already loaded when a session is open
        from yarl import URL  # noqa: PLC0415

        session = await self.transport.open()
        url = f"{self.host}{self.base}{path}" + (f"?{urlencode(query)}" if query else "")
        sent = {"Accept": "application/json", **(headers or {})}
        if authorization := await self.transport.authorization():
            sent.setdefault("Authorization", authorization)
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        name = self.transport.credentials.tls_server_name or None
        proxy = self.transport.credentials.proxy_url or None
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(open_timeout_s):  # what follows may take as long as its reader likes
                    request = session.request(
                        method, URL(url, encoded=True), data=body, headers=sent, allow_redirects=False,
                        server_hostname=name, proxy=proxy,
                    )  # fmt: skip
                    response = await stack.enter_async_context(request)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise Unreachable(f"{method} {self.host}{self.base}{path}: {reason_of(error)}") from error
            yield response

    async def request(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> Answer:
        """
        Send one request and read the whole answer; if it ``waits``, a 429 or 503 with ``Retry-After`` is tried again.

        Args:
            method: Upper case.
            path: Below the base path, percent-encoded, with leading slash.
            query: Parameters.
            body: Sent as JSON unless ``headers`` say otherwise.
            headers: Win over the client's own.
            timeout_s: For each try.

        Raises:
            ApiError: The server answered with 400 or more.
            Unreachable: No answer came.
        """
        for attempt in range(MAX_RETRIES + 1):
            answer = await self._once(method, path, query, body=body, headers=headers, timeout_s=timeout_s)
            if answer.code < 400:
                return answer
            retry_after = answer.headers.get("Retry-After", "")
            is_passing = answer.code in {429, 503} and retry_after.isdecimal()
            if not self.waits or not is_passing or attempt == MAX_RETRIES:
                raise error_of(answer)
            await asyncio.sleep(min(int(retry_after), MAX_RETRY_AFTER_S))
        raise AssertionError("unreachable: the last try returns or raises")

    async def _once(
        self,
        method: str,
        path: str,
        query: Query | None,
        *,
        body: bytes | None,
        headers: Mapping[str, str] | None,
        timeout_s: float,
    ) -> Answer:
        import aiohttp  # noqa: PLC0415 - already loaded when a session is open

        try:
            async with (
                asyncio.timeout(timeout_s),
                self.stream(method, path, query, body=body, headers=headers) as response,
            ):
                return Answer(response.status, response.headers, await response.read())
        except TimeoutError as error:
            raise Unreachable(f"{method} {self.host}{self.base}{path}: no answer within {timeout_s:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Unreachable(f"{method} {self.host}{self.base}{path}: {reason_of(error)}") from error

    async def _object(
        self, method: str, path: str, query: Query | None = None, body: object = None, content_type: str = ""
    ) -> JsonObject:
        headers = {"Content-Type": content_type} if content_type else None
        data = orjson.dumps(body) if body is not None else None
        answer = await self.request(method, path, query, body=data, headers=headers)
        try:
            value = answer.json()
        except orjson.JSONDecodeError as error:
            raise Unreachable(f"{method} {path}: the answer is not the server's: it is no JSON") from error
        if not isinstance(value, dict):
            raise ApiError(f"{method} {path}: the server answered with something other than an object")
        return value

    # --- objects -----------------------------------------------------------------------------------------------------

    async def get(self, gvr: Gvr, name: str, *, namespace: str = "", subresource: str = "") -> JsonObject:
        """Read one object."""
        return await self._object("GET", gvr.path(namespace, name, subresource))

    async def find(self, gvr: Gvr, name: str, *, namespace: str = "") -> JsonObject | None:
        """
        Read one object; None when an API server says of this very object that it is not there.

        Raises:
            Unreachable: A 404 that does not name the object: of something in between, or of a path nobody serves.
        """
        try:
            return await self.get(gvr, name, namespace=namespace)
        except NotFound as error:
            if (error.group, error.kind, error.name) == (gvr.group, gvr.resource, name):
                return None
            raise Unreachable(f"whether {gvr} {name!r} is there was not said: {error.message}") from error

    async def create(
        self, gvr: Gvr, body: JsonObject, *, namespace: str = "", name: str = "", subresource: str = "",
        query: Query | None = None,
    ) -> JsonObject:  # fmt: skip
        """Create an object; ``name`` and ``subresource`` serve ``serviceaccounts/<name>/token`` and the like."""
        return await self._object("POST", gvr.path(namespace, name, subresource), query, body)

    async def update(
        self, gvr: Gvr, body: JsonObject, *, namespace: str = "", subresource: str = "", query: Query | None = None
    ) -> JsonObject:
        """Replace an object; its ``metadata.resourceVersion`` is the precondition."""
        return await self._object("PUT", gvr.path(namespace, body["metadata"]["name"], subresource), query, body)

    async def patch(  # noqa: PLR0913 - the parameters of the API, as keywords
        self, gvr: Gvr, name: str, body: object, *, type_: str = MERGE_PATCH, namespace: str = "",
        subresource: str = "", query: Query | None = None,
    ) -> JsonObject:  # fmt: skip
        """Patch an object; ``type_`` is one of the module's content types."""
        return await self._object("PATCH", gvr.path(namespace, name, subresource), query, body, type_)

    async def apply(  # noqa: PLR0913 - the parameters of the API, as keywords
        self, gvr: Gvr, body: JsonObject, *, field_manager: str, force: bool = False, namespace: str = "",
        subresource: str = "", query: Query | None = None,
    ) -> JsonObject:  # fmt: skip
        """
        Apply an object server-side; JSON is YAML too, so it is sent as such.

        Raises:
            Conflict: Another manager owns a field and ``force`` is off; or the body has a uid and there is no object.
            Invalid: The uid in the body is not the object's (``metadata.uid: ... field is immutable``).
        """
        parameters = {"fieldManager": field_manager, "force": "true" if force else "false", **(query or {})}
        path = gvr.path(namespace, body["metadata"]["name"], subresource)
        return await self._object("PATCH", path, parameters, body, APPLY_PATCH)

    async def delete(  # noqa: PLR0913 - the parameters of the API, as keywords
        self, gvr: Gvr, name: str, *, namespace: str = "", uid: str = "", resource_version: str = "",
        propagation: str = "", grace_period_s: int | None = None,
    ) -> JsonObject:  # fmt: skip
        """
        Delete an object.

        Args:
            gvr, name: What.
            namespace: Empty for cluster-scoped objects.
            uid, resource_version: Preconditions; a mismatch is a ``Conflict``.
            propagation: Background, Foreground or Orphan; the kind's default when empty.
            grace_period_s: Seconds the object gets; the kind's default when None.
        """
        options: JsonObject = {"apiVersion": "v1", "kind": "DeleteOptions"}
        pairs = (("uid", uid), ("resourceVersion", resource_version))
        if preconditions := {key: value for key, value in pairs if value}:
            options["preconditions"] = preconditions
        if propagation:
            options["propagationPolicy"] = propagation
        if grace_period_s is not None:
            options["gracePeriodSeconds"] = grace_period_s
        return await self._object("DELETE", gvr.path(namespace, name), None, options)

    # --- collections -------------------------------------------------------------------------------------------------

    async def pages(
        self, gvr: Gvr, *, namespace: str = "", query: Query | None = None, limit: int = PAGE_SIZE
    ) -> AsyncIterator[JsonObject]:
        """
        List in pages of one snapshot, as whole list objects.

        Raises:
            Expired: The snapshot was compacted away between pages; nothing that was read counts as complete.
        """
        token = ""
        while True:
            parameters = {**(query or {}), "limit": str(limit)}
            if token:
                parameters["continue"] = token
                parameters.pop("resourceVersion", None)
                parameters.pop("resourceVersionMatch", None)
            page = await self._object("GET", gvr.path(namespace), parameters)
            if not isinstance(page.get("items", []), list | None) or not page.get("metadata"):
                raise ApiError(f"the list of {gvr} has no items or no metadata")
            yield page
            token = page["metadata"].get("continue") or ""
            if not token:
                return

    async def list(
        self, gvr: Gvr, *, namespace: str = "", query: Query | None = None, limit: int = PAGE_SIZE
    ) -> tuple[list[JsonObject], str]:
        """
        List completely.

        Returns:
            All objects of one snapshot, with ``apiVersion`` and ``kind`` filled in, and its resourceVersion.

        Raises:
            Expired: The pages were not of one snapshot.
        """
        items: list[JsonObject] = []
        version = ""
        async for page in self.pages(gvr, namespace=namespace, query=query, limit=limit):
            kind, api_version = str(page.get("kind", "")).removesuffix("List"), page.get("apiVersion", "")
            for item in page.get("items") or ():
                item.setdefault("apiVersion", api_version)
                item.setdefault("kind", kind)
                items.append(item)
            found = page["metadata"].get("resourceVersion", "")
            if version and found != version:
                raise Expired(f"the list of {gvr} changed its snapshot between pages")
            version = found
        return items, version

    async def watch(
        self, gvr: Gvr, *, namespace: str = "", resource_version: str = "", query: Query | None = None,
        timeout_s: int = 300, initial_events: bool = False,
    ) -> AsyncGenerator[Event, None]:  # fmt: skip
        """
        Watch until the server ends the stream, which is normal after ``timeout_s``.

        Args:
            gvr, namespace: What.
            resource_version: After which; empty begins with what there is.
            query: Further parameters, such as ``labelSelector``.
            timeout_s: After which the server ends the watch; a silence of half as long again counts as broken.
            initial_events: Ask for what there is first, ended by a bookmark annotated ``k8s.io/initial-events-end``.

        Raises:
            Expired: The version was compacted: list again.
            ApiError: The server refused, or sent an ERROR event.
            Unreachable: The stream broke.
        """
        parameters = {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(timeout_s), **(query or {})}
        if resource_version:
            parameters["resourceVersion"] = resource_version
        if initial_events:
            parameters |= {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
        async with self.stream("GET", gvr.path(namespace), parameters) as response:
            if response.status >= 400:
                raise error_of(Answer(response.status, response.headers, await response.read()))
            async for line in _lines(response, timeout_s * 1.5):
                event = _event(line)
                if event["type"] == "ERROR":
                    status = event.get("object") or {}
                    raise from_status(int(status.get("code") or 500), status)
                yield Event(event["type"], event["object"])
                del line, event  # the next may be hours away


def _event(line: bytes) -> JsonObject:
    """
    Return a watch event.

    Raises:
        Unreachable: The line is none: no API server has sent it.
    """
    try:
        event: JsonObject = orjson.loads(line)
        is_event = event["type"] == "ERROR" or isinstance(event["object"]["metadata"], dict)
    except (ValueError, KeyError, TypeError):
        is_event = False
    if not is_event:
        raise Unreachable(f"the watch sent something that is no event: {line[:80]!r}")
    return event


async def _lines(response: ClientResponse, silence_s: float) -> AsyncIterator[bytes]:
    """Split a stream into lines of any length; aiohttp's own reader refuses lines over its buffer."""
    import aiohttp  # noqa: PLC0415 - already loaded when a session is open

    chunks = response.content.iter_any()
    parts: list[bytes] = []  # of a line that has not ended, joined once
    size = 0
    while True:
        try:
            async with asyncio.timeout(silence_s):
                chunk = await anext(chunks, b"")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(f"the watch broke: {reason_of(error)}") from error
        if not chunk:
            if parts:
                raise Unreachable("the watch ended in the middle of an event")
            return
        *lines, rest = chunk.split(b"\n")
        if lines:
            lines[0] = b"".join([*parts, lines[0]])
            parts, size = [], 0
        if rest:
            parts.append(rest)
            size += len(rest)
        if size > MAX_LINE_BYTES:
            raise Unreachable(f"the watch sent an event of over {MAX_LINE_BYTES} bytes")
        for line in lines:
            if line:
                yield line
        del chunk, lines, rest  # of a watch that waits nothing is kept
        line = b""


def error_of(answer: Answer) -> ApiError:
    """Turn an answer of 400 or more into its error."""
    try:
        body = answer.json()
    except orjson.JSONDecodeError:
        body = {}
    error = from_status(answer.code, body if isinstance(body, dict) else {})
    retry_after = answer.headers.get("Retry-After", "")
    if retry_after.isdecimal():
        error.retry_after_s = error.retry_after_s or int(retry_after)
    return error


def is_gone(error: ApiError) -> bool:
    """Tell whether a watch has to begin again with a list."""
    return isinstance(error, Expired) or error.code == 410
