"""Every way in, tried by nobody and by a stranger (S01)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.integration.security.conftest import ALICE, STRANGER, A, Room

OPEN = ("/livez", "/readyz", "/healthz", "/version")
SERVICES = ("syncer", "upsyncer")
_DOCUMENT = re.compile(r"/api|/api/v1|/apis|/apis/[^/]+/v[^/]+|/openapi/v[23]|/\.well-known/openid-configuration")
_LOOKED_AT = {
    "/clusters/root": re.compile(
        r"/apis/[a-z]+\.kcp\.io/v1alpha1/(?:workspaces|workspacetypes|logicalclusters)(/x)?(\?.*)?"
    ),
    "/clusters/root:compute": re.compile(r"/apis/apis\.kcp\.io/v1alpha1/(?:apiexports|apiresourceschemas)(/x)?(\?.*)?"),
}
METHODS = {"get": "GET", "list": "GET", "watch": "GET", "create": "POST", "update": "PUT", "patch": "PATCH"}
METHODS |= {"delete": "DELETE", "deletecollection": "DELETE"}


def routes(room: Room, base: str) -> Iterator[tuple[str, str]]:
    """Yield method and path of all that discovery shows, subresources too, and of the documents themselves."""
    wire = room.wire
    groups = wire.ask("GET", f"{base}/apis").json["groups"]
    roots = ["/api/v1", *(f"/apis/{version['groupVersion']}" for group in groups for version in group["versions"])]
    for root in (*roots, "/api", "/apis", "/openapi/v2", "/openapi/v3", "/.well-known/openid-configuration"):
        yield "GET", base + root
    for root in roots:
        for resource in wire.ask("GET", base + root).json["resources"]:
            plural, _, sub = resource["name"].partition("/")
            place = "/namespaces/default" if resource["namespaced"] else ""
            for verb in resource["verbs"]:
                named = sub or verb in {"get", "update", "patch", "delete"}
                path = f"{base}{root}{place}/{plural}" + ("/x" if named else "") + (f"/{sub}" if sub else "")
                yield METHODS[verb], path + ("?watch=1&timeoutSeconds=1" if verb == "watch" else "")


@pytest.mark.parametrize("token", ["", STRANGER], ids=["anonymous", "stranger"])
def test_every_route_is_guarded(room: Room, token: str) -> None:
    """401 or 403 for everything in every kind of workspace; only health and version are for all."""
    for base in (A, "/clusters/root", "/clusters/root:compute", ""):
        found = list(routes(room, base or A))
        assert len(found) > 150
        for method, path in found:
            bare = path if base else path.removeprefix(A)
            answer = room.wire.ask(method, bare, None if method in ("GET", "DELETE") else {}, token=token)
            if token and _is_for_all(base, method, bare):
                continue
            assert answer.code in (401, 403), (method, bare, answer.code, answer.message)


def _is_for_all(base: str, method: str, path: str) -> bool:
    """
    Tell whether every authenticated user may ask that, as in kcp.

    In root and root:compute: documents, and reviews of oneself; in root the tree, in root:compute what it exports.
    """
    if base not in _LOOKED_AT:
        return False
    below = path.removeprefix(base)
    is_document = _DOCUMENT.fullmatch(below) is not None
    return is_document or "/selfsubject" in below or (method == "GET" and _LOOKED_AT[base].fullmatch(below) is not None)


@pytest.mark.parametrize("token", ["", STRANGER, ALICE], ids=["anonymous", "stranger", "tenant"])
def test_virtual_workspaces_and_the_server_itself_are_guarded(room: Room, token: str) -> None:
    """Agents' entrances, metrics and debugging: nothing for who is no agent and no administrator."""
    uid = "/root/east/00000000-0000-0000-0000-000000000000"
    for service in SERVICES:
        for rest in ("", "/", uid, f"{uid}/clusters/*/api/v1/configmaps", f"{uid}/heartbeat", f"{uid}/resources"):
            for method in ("GET", "POST", "PUT", "DELETE"):
                answer = room.wire.ask(method, f"/services/{service}{rest}", {}, token=token)
                assert answer.code in (401, 403, 404), (method, service, rest, answer.code)
    for path in ("/metrics", "/debug", "/configz", "/logs", "/clusters/*/api/v1/secrets", "/services/other/x"):
        assert room.wire.ask("GET", path, token=token).code in (401, 403, 404), path


def test_health_and_version_are_for_all(room: Room) -> None:
    """They say how the server is and which one, and no more."""
    for path in OPEN:
        answer = room.wire.ask("GET", path, token="")
        assert answer.code == 200
        assert b"/" not in answer.body or path == "/version"


def test_a_wrong_token_is_nobody(room: Room) -> None:
    """Not even anonymous: 401, for empty and malformed tokens too (S09)."""
    for token in ("wrong", "a.b.c", "x" * 8000):
        assert room.wire.ask("GET", f"{A}/api", token=token).code == 401
    for value in ("Bearer", "Bearer ", "Basic YTpi", "bearer  "):
        assert room.wire.ask("GET", f"{A}/api", token="", Authorization=value).code in (401, 403)
