"""
The order of checks every request passes; there is no other way in.

Health and version; who is it; virtual workspaces; which logical cluster; acting as whom; may they; then discovery,
OpenAPI and the registry.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from time import perf_counter

from fairlead_api.errors import (
    ApiError,
    BadRequest,
    InternalError,
    MethodNotAllowed,
    NoSuchPath,
    NotFound,
    ServiceUnavailable,
    Unauthorized,
)
from fairlead_api.request import ANONYMOUS, RequestInfo, User, parse_request
from fairlead_api.selectors import SelectorError, parse_fields
from fairlead_control_plane.auth.agents import ENROLLING
from fairlead_control_plane.auth.authenticate import Authenticator
from fairlead_control_plane.auth.authorize import CLUSTER_NAME, Authorizer, forbidden
from fairlead_control_plane.auth.impersonation import impersonate, is_requested
from fairlead_control_plane.http.deadlines import check_timeout
from fairlead_control_plane.http.health import Health
from fairlead_control_plane.http.shaping import shaped
from fairlead_control_plane.http.target import WILDCARD, split_cluster
from fairlead_control_plane.http.virtual import SERVICES, VirtualWorkspaces
from fairlead_control_plane.store.contract import Unavailable
from fairlead_machinery.web import Request, Response, error_response

log = logging.getLogger(__name__)

_UNPROVEN = frozenset({ANONYMOUS.name, ENROLLING.name})
_GET, _READS = frozenset({"GET"}), frozenset({"GET", "HEAD"})
_ALL_METHODS = _READS | {"POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_LONG = 512
"""Characters of a path above which what it means is not kept."""

Resolve = Callable[[str], Awaitable[str | None]]
"""From a workspace's path or name to its logical cluster's name; None when there is none."""

Serve = Callable[[RequestInfo, Request, User], Awaitable[Response]]
"""Answers an authorized request."""

Audit = Callable[[Request, User, RequestInfo | None, Response], None]
"""Hears of every answered request; must not block."""

Observe = Callable[[str, RequestInfo | None, Response, float], None]
"""Hears the method, what was asked, the answer and the seconds it took; must neither block nor raise."""


@dataclass(slots=True)
class Context:
    """What becomes known of a request on its way."""

    user: User = ANONYMOUS
    info: RequestInfo | None = None


@dataclass(frozen=True, slots=True)
class Routes:
    """
    Where requests go.

    Attributes:
        resources: The registry.
        documents: By first path segment (``api``, ``apis``, ``openapi``, ``metrics`` ...): what is no resource.
        bare_only: First segments that concern the whole server and are refused under a workspace.
        resolve: None in the ``cluster`` profile, where all paths are those of ``home``.
        home: The logical cluster of bare paths; ``""`` where there are workspaces.
        root: The logical cluster whose RBAC guards what concerns the whole server.
    """

    resources: Serve
    documents: dict[str, Serve]
    resolve: Resolve | None
    home: str = ""
    root: str = "root"
    bare_only: frozenset[str] = frozenset({"metrics", "debug", "configz", "logs"})
    virtual: VirtualWorkspaces = field(default_factory=VirtualWorkspaces)


class Dispatcher:
    """Leads each request through the checks to whoever answers it; every outcome is an answer."""

    def __init__(
        self,
        authenticator: Authenticator,
        authorizer: Authorizer,
        health: Health,
        routes: Routes,
        audit: Audit | None = None,
        observe: Observe | None = None,
    ) -> None:
        self._authenticator = authenticator
        self._authorizer = authorizer
        self._health = health
        self._routes = routes
        self._audit = audit
        self._observe = observe

    async def handle(self, request: Request) -> Response:
        """Answer a request; errors become ``Status``, defects a 500 that says nothing of the inside."""
        context = Context()
        began_s = perf_counter()
        try:
            response = await self._answer(request, context)
        except ApiError as error:
            response = error_response(error)
        except Unavailable:
            response = error_response(ServiceUnavailable("the store cannot answer now", retry_after_s=1))
        except Exception:
            log.exception("request failed: %s %r", request.method, request.target)
            response = error_response(InternalError("an internal error occurred"))
        if self._audit is not None:
            self._audit(request, context.user, context.info, response)
        if self._observe is not None:
            self._observe(request.method, context.info, response, perf_counter() - began_s)
        return response

    async def _answer(self, request: Request, context: Context) -> Response:
        path = request.path
        if not path.startswith(("/clusters/", "/api")):
            healthy = await self._health.serve(path, request)
            if healthy is not None:
                check_timeout(RequestInfo("", path, request.method.lower()), request)
                return healthy
        user = await self._authenticator.authenticate(request)
        if user is None:
            raise Unauthorized("Unauthorized")
        context.user = user
        if user.name not in _UNPROVEN:
            request.known()
        if path.startswith(SERVICES):
            return await self._routes.virtual.serve(request, user)
        info = await self._locate(request, user)
        if is_requested(request.headers):
            user = context.user = await impersonate(user, info.cluster, request.headers, self._authorizer)
        context.info = info
        check_timeout(info, request)
        await self._authorizer.require(user, _selected(info, request.query.get("fieldSelector", "")))
        return await self._serve(info, request, user)

    async def _locate(self, request: Request, user: User) -> RequestInfo:
        """Find the logical cluster and what is asked of it."""
        routes = self._routes
        if routes.resolve is None:
            return _parse(request, routes.home, request.path)
        wanted, path = split_cluster(request.path)
        if wanted is None:
            if not path.startswith("/api") and _first(path) in routes.bare_only:
                return _parse(request, routes.root, path)  # an account's own workspace has no say in it
            # Only a verified token can say where a bare path leads.
            claimed = user.extra.get(CLUSTER_NAME, (routes.home,))
            return _parse(request, claimed[0], path)
        if wanted == WILDCARD:
            return _wildcard(_parse(request, WILDCARD, path))
        cluster = await routes.resolve(wanted)
        info = _parse(request, cluster or "", path)
        if cluster is None:
            # An unknown workspace answers like one that may not be entered.
            if user.is_master:
                raise NotFound(
                    f'workspaces.tenancy.kcp.io "{wanted}" not found',
                    group="tenancy.kcp.io",
                    kind="workspaces",
                    name=wanted,
                )
            raise forbidden(user, info, "access denied")
        return info

    async def _serve(self, info: RequestInfo, request: Request, user: User) -> Response:
        routes = self._routes
        if info.is_resource and not info.cluster:
            # Masters get here: nothing is anywhere, and what they made would be in no workspace.
            raise NotFound("the server could not find the requested resource: the URL names no workspace")
        if info.is_resource:
            return await shaped(await routes.resources(info, request, user), request)
        first = _first(info.path)
        if first in routes.bare_only and request.path != info.path:
            raise _NotImplementedHere(f"{info.path} is not available in a workspace")
        healthy = await self._health.serve(info.path, request)
        if healthy is not None:
            return healthy
        document = routes.documents.get(first)
        if document is None and info.path.rstrip("/") != "/version":
            raise NoSuchPath("the server could not find the requested resource")
        if document is None or request.method not in _methods(first, info.path):
            raise MethodNotAllowed("the server does not allow this method on the requested resource")
        answer = await document(info, request, user)
        # Kubernetes compresses OpenAPI v2 and leaves v3, whose parts are small, as it is.
        return answer if first == "openapi" and info.path.startswith("/openapi/v3") else await shaped(answer, request)


def _methods(first: str, path: str) -> frozenset[str]:
    """Return the methods a document has: the list of groups and a group take every one for a GET, as in Kubernetes."""
    if first in ("", "openapi") or (first == "apis" and path.rstrip("/").count("/") < 3):
        return _ALL_METHODS
    return _GET if first in ("api", "apis") else _READS


def _first(path: str) -> str:
    return path[1:].partition("/")[0]


class _NotImplementedHere(ApiError):
    code, reason = 501, "NotImplemented"


def _parse(request: Request, cluster: str, path: str) -> RequestInfo:
    try:
        if request.query or len(path) > _LONG:
            return parse_request(request.method, cluster, path, request.query)
        return _plain(request.method, cluster, path)
    except BadRequest as error:
        # A path with a trailing slash names nothing; Kubernetes says so in these words.
        if path.endswith("/"):
            raise NotFound("the server could not find the requested resource") from error
        raise


@lru_cache(4096)
def _plain(method: str, cluster: str, path: str) -> RequestInfo:
    """Parse a request without a query; controllers and kubelets ask for the same paths over and over."""
    return parse_request(method, cluster, path, {})


def _selected(info: RequestInfo, fields: str) -> RequestInfo:
    """
    Return what is to be authorized: a list or watch of one name by field selector is about that object.

    So who may ``list`` with ``resourceNames`` can wait for such an object.  Source: RequestInfoFactory.
    """
    if not fields or info.name or info.verb not in ("list", "watch", "deletecollection"):
        return info
    try:
        wanted = [one.value for one in parse_fields(fields) if one.field == "metadata.name" and one.equal]
    except SelectorError:
        return info  # it is refused where it would be used
    name = wanted[0] if wanted else ""
    return info if not name or name in {".", ".."} or "/" in name or "%" in name else replace(info, name=name)


def _wildcard(info: RequestInfo) -> RequestInfo:
    if not info.is_resource or info.verb not in ("list", "watch"):
        raise MethodNotAllowed("the server does not allow this method in the `*` logical cluster")
    return info
