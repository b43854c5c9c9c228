"""What would reach beyond the workspace is not synced, and its user hears why (S62, S63)."""

from __future__ import annotations

from tests.integration.syncer.joined import SYNC_TIMEOUT_S, Joined
from tests.support.waiting import wait_until


def test_s63_external_addresses_do_not_reach_the_cluster(joined: Joined) -> None:
    """Refused with the reason, while another Service beside it is synced; without them it comes."""
    services = "/api/v1/namespaces/default/services"
    down = f"/api/v1/namespaces/{joined.home()}/services"
    for name, more in (("greedy", {"externalIPs": ["192.0.2.1"]}), ("plain", {})):
        spec = {"ports": [{"port": 80}], **more}
        joined.team.ok(
            "POST", services, {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}
        )
    wait_until(lambda: joined.down.get(f"{down}/plain") is not None, SYNC_TIMEOUT_S)
    wait_until(lambda: joined.progress().get("blocked", []) != [], SYNC_TIMEOUT_S)
    [why] = joined.progress()["blocked"]
    assert (why["name"], why["reason"]) == ("greedy", "PolicyDenied")
    assert joined.down.get(f"{down}/greedy") is None
    joined.team.merge(f"{services}/greedy", {"spec": {"externalIPs": None, "externalTrafficPolicy": None}})
    wait_until(lambda: joined.down.get(f"{down}/greedy") is not None, SYNC_TIMEOUT_S)
