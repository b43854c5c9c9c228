"""Discovery: negotiation, sharing, conditional answers."""

from __future__ import annotations

import orjson
import pytest

from fairlead_api.errors import NotFound
from fairlead_api.request import SYSTEM, parse_request
from fairlead_control_plane.http.discovery import Discovery, wanted_version
from fairlead_control_plane.http.documents import Documents
from fairlead_control_plane.kinds.builtin import builtin_resources
from fairlead_control_plane.kinds.catalog import StaticCatalog
from fairlead_machinery.web import Request, Response

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
RESOURCES = builtin_resources("cluster")


async def ask(discovery: Discovery, path: str, **headers: str) -> Response:
    async def no_body() -> bytes:
        return b""

    request = Request(
        "GET", path, path, {}, {name.replace("_", "-"): value for name, value in headers.items()}, no_body
    )
    return await discovery(parse_request("GET", "root", path, {}), request, SYSTEM)


@pytest.fixture
def discovery() -> Discovery:
    return Discovery(StaticCatalog(RESOURCES), Documents())


@pytest.mark.parametrize(
    ("accept", "version"),
    [
        ("", ""),
        ("application/json", ""),
        (AGGREGATED, "v2"),
        (f"{AGGREGATED},{AGGREGATED.replace('v2', 'v2beta1')},application/json", "v2"),
        (AGGREGATED.replace("v2", "v2beta1"), "v2beta1"),
        ("application/json, " + AGGREGATED, "v2"),
        (AGGREGATED.replace("json", "yaml"), "v2"),
        (AGGREGATED.replace("v2", "v9") + ",application/json", ""),
        ("application/json;as=Table;g=meta.k8s.io;v=v1", ""),
    ],
)  # fmt: skip
def test_the_first_version_that_is_served_wins(accept: str, version: str) -> None:
    """Kubectl lists v2, v2beta1 and plain, in that order; plain comes last wherever it stands."""
    assert wanted_version(accept) == (version, "yaml" in accept)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/api", "APIVersions"), ("/api/v1", "APIResourceList"), ("/apis", "APIGroupList"), ("/apis/", "APIGroupList"),
        ("/apis/apps", "APIGroup"), ("/apis/apps/v1", "APIResourceList"),
    ],
)  # fmt: skip
async def test_serves_plain_discovery(discovery: Discovery, path: str, kind: str) -> None:
    """A trailing slash means nothing."""
    assert orjson.loads((await ask(discovery, path)).body)["kind"] == kind


@pytest.mark.parametrize("path", ["/api/v2", "/apis/none", "/apis/apps/v9", "/apis/none/v1"])
async def test_what_is_not_served_is_not_found(discovery: Discovery, path: str) -> None:
    """404 for groups and versions that are not there."""
    with pytest.raises(NotFound):
        await ask(discovery, path)


async def test_serves_aggregated_discovery_once(discovery: Discovery) -> None:
    """With an ETag that turns the next answer into 304; the bytes are made once."""
    first = await ask(discovery, "/apis", accept=AGGREGATED)
    assert first.content_type == AGGREGATED
    assert first.headers["Vary"] == "Accept"
    assert orjson.loads(first.body)["kind"] == "APIGroupDiscoveryList"
    assert (await ask(discovery, "/apis", accept=AGGREGATED)).body is first.body
    again = await ask(discovery, "/apis", accept=AGGREGATED, if_none_match=first.headers["ETag"])
    assert (again.code, again.body) == (304, b"")


def test_documents_of_equal_but_other_sets_are_kept_apart_and_bounded() -> None:
    """The set itself is the key; the oldest goes."""
    documents = Documents(size=2)
    sets = [tuple(RESOURCES[:number]) for number in (1, 2, 3)]
    made = [documents.get(each, "x", lambda number=index: str(number).encode()) for index, each in enumerate(sets)]  # type: ignore[misc]
    assert [each.body for each in made if each] == [b"0", b"1", b"2"]
    kept = documents.get(sets[2], "x", lambda: b"new")
    gone = documents.get(sets[0], "x", lambda: b"new")
    assert kept is not None
    assert gone is not None
    assert (kept.body, gone.body) == (b"2", b"new")
