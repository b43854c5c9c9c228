"""Which workspace a request target names."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_api.errors import ApiError, BadRequest
from fairlead_control_plane.http.target import parse_target, split_cluster


def located(raw: str) -> tuple[str | None, str]:
    return split_cluster(parse_target(raw).path)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("/api/v1/pods", (None, "/api/v1/pods")),
        ("/clusters/root/api/v1", ("root", "/api/v1")),
        ("/clusters/root:org:team/apis", ("root:org:team", "/apis")),
        ("/clusters/*/api/v1/pods", ("*", "/api/v1/pods")),
        ("/clusters/system:admin/version", ("system:admin", "/version")),
        ("/clusters/root", ("root", "/")),
        ("/clusters/a/api/v1/namespaces/n/configmaps/a%20b", ("a", "/api/v1/namespaces/n/configmaps/a b")),
        ("/apis/rbac/v1/clusterroles/system:node", (None, "/apis/rbac/v1/clusterroles/system:node")),
        ("/CLUSTERS/root/api", (None, "/CLUSTERS/root/api")),
    ],
)  # fmt: skip
def test_names_a_workspace_and_the_rest(raw: str, expected: tuple[str | None, str]) -> None:
    """Prefix, path and rest are told apart without changing them."""
    assert located(raw) == expected


@pytest.mark.parametrize(
    "raw",
    [
        "/clusters/root%2fapi/v1", "/clusters/root%252fapi", "/clusters/..%2froot", "/clusters/../root/api",
        "/clusters/%2e%2e/root", "/clusters/%2E%2E/root", "/clusters/./root", "/clusters//root/api",
        "/clusters/root//api", "/clusters/root;x/api", "/clusters/root\\api", "/clusters/root%5capi",
        "/clusters/root:/api", "/clusters/root::a/api", "/clusters/:root/api", "/clusters/Root/api",
        "/clusters/ROOT:org/api", "/clusters/root:föö/api", "/clusters/root:f%C3%B6/api", "/clusters/ro%6ft/api",
        "/clusters/root%00/api", "/clusters/root\x00/api", "/clusters/" + "a" * 64 + "/api", "/clusters/-a/api",
        "/clusters/a-/api", "/clusters/root,other/api", "/clusters/**/api", "/clusters/root:*/api",
        "/clusters/a/clusters/b/api", "/clusters/a/clusters", "/clusters/", "/clusters", "/%63lusters/root/api",
        "http://host/clusters/root/api", "clusters/root", "*", "", "/api/v1/..", "/api/v1/pods/%2e%2e/x",
        "/services%2fsyncer/x", "/clusters/root/api/v1/%zz", "/clusters/root/api/v1/%", "/a b", "/clusters/root#x",
    ],
)  # fmt: skip
def test_refuses_what_could_be_read_in_two_ways(raw: str) -> None:
    """S17: 400 or 404, never another workspace."""
    with pytest.raises(ApiError) as caught:
        located(raw)
    assert caught.value.code in (400, 404)


def test_reads_the_query_once() -> None:
    """The first value of a key wins; all are kept; plus and percent are decoded."""
    target = parse_target("/api?labelSelector=a%3Db&x=1&x=2&y=a+b&z")
    assert target.query == {"labelSelector": "a=b", "x": "1", "y": "a b", "z": ""}
    assert target.query_all["x"] == ("1", "2")


@pytest.mark.parametrize("query", ["a;b=c", "x=%ff", "x=é"])
def test_refuses_queries_that_clients_must_encode(query: str) -> None:
    """As Go does with a raw semicolon; and bytes that are no UTF-8."""
    with pytest.raises(BadRequest):
        parse_target(f"/api?{query}")


@given(st.text(alphabet="abz09-:.%2fe5cCL/\\*;ö\x00 ", max_size=40))
def test_an_accepted_path_means_the_same_to_a_second_parser(tail: str) -> None:
    """S18: decoding again, cleaning dots or splitting at encoded slashes finds the same workspace."""
    raw = "/clusters/" + tail
    try:
        cluster, rest = located(raw)
    except ApiError as error:
        assert error.code in (400, 404)  # noqa: PT017 - either outcome is right; what is accepted is checked below
        return
    assert cluster is not None
    assert raw[len("/clusters/") :].partition("/")[0] == cluster
    assert "/../" not in rest + "/"
    assert "//" not in rest
    assert quote(cluster, safe=":*") == cluster
