"""Who may read the server's metrics, over the wire."""

from __future__ import annotations

import pytest

from tests.integration.security.conftest import ALICE, RBAC, STRANGER, A, Room, user

pytestmark = pytest.mark.integration


def test_metrics_are_for_masters_and_at_the_bare_path_alone(room: Room) -> None:
    """200 as text for masters, 403 for others, 501 in every workspace."""
    assert room.wire.ask("GET", f"{A}/api/v1/namespaces/default/configmaps/kube-root-ca.crt").code == 200
    answer = room.wire.ask("GET", "/metrics")
    assert answer.code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    text = answer.body.decode()
    assert 'fairlead_requests_total{verb="get",resource="configmaps",code="200"} ' in text
    assert 'fairlead_requests_total{verb="create",resource="workspaces.tenancy.kcp.io",code="201"} 2\n' in text
    assert "fairlead_requests_in_flight 1\n" in text
    for token in (STRANGER, ALICE, ""):
        refused = room.wire.ask("GET", "/metrics", token=token)
        assert refused.code == 403
        assert 'cannot get path "/metrics"' in refused.message
    for base in (A, "/clusters/root"):
        assert room.wire.ask("GET", f"{base}/metrics").code == 501
    assert room.wire.ask("POST", "/metrics", {}).code == 405


def test_a_workspace_gives_no_right_to_the_server(room: Room) -> None:
    """Not even to its own account, whose bare paths lead into the workspace."""
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": "default"}
    room.grant(A, "account-rules", subject)
    token = room.token(A)
    assert room.wire.ask("GET", "/api/v1/namespaces", token=token).code == 200
    assert room.wire.ask("GET", "/metrics", token=token).code == 403


def test_rbac_in_root_opens_them(room: Room) -> None:
    """``get`` on the non-resource URL is enough; it lends nothing else."""
    role = {"metadata": {"name": "scraper"}, "rules": [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]}
    room.make(f"/clusters/root/apis/{RBAC}/v1/clusterroles", role)
    room.grant("/clusters/root", "scraper", user("stranger"), role="scraper")
    assert room.wire.ask("GET", "/metrics", token=STRANGER).code == 200
    assert room.wire.ask("GET", "/configz", token=STRANGER).code == 403
    assert room.wire.ask("GET", f"{A}/metrics", token=STRANGER).code == 403


def test_an_open_watch_shows(room: Room) -> None:
    """While it is open; it is no request in flight."""
    watch = f"{A}/api/v1/namespaces/default/configmaps?watch=1&timeoutSeconds=30"
    lines = (f"GET {watch} HTTP/1.1", "Host: x", f"Authorization: Bearer {room.wire.token}", "", "")
    with room.wire.raw() as connection:
        connection.sendall("\r\n".join(lines).encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")
        text = room.wire.ask("GET", "/metrics").body.decode()
    assert "fairlead_watches 1\n" in text
    assert "fairlead_requests_in_flight 1\n" in text


def test_an_account_of_root_may_be_given_them(room: Room) -> None:
    """As the reference says: Kubernetes' role ``system:monitoring``, bound in root."""
    token = room.token("/clusters/root")
    assert room.wire.ask("GET", "/metrics", token=token).code == 403
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": "default"}
    room.grant("/clusters/root", "monitoring", subject, role="system:monitoring")
    assert room.wire.ask("GET", "/metrics", token=token).code == 200
    in_group = {"Impersonate-User": "prometheus", "Impersonate-Group": "system:monitoring"}
    assert room.wire.ask("GET", "/metrics", **in_group).code == 200
    assert room.wire.ask("GET", "/metrics", Impersonate_User="prometheus").code == 403
