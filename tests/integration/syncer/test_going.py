"""What is still being deleted in the cluster is told to its user, with what it waits for, until it has gone."""

from __future__ import annotations

from fairlead_api import JsonObject
from tests.integration.syncer.joined import SYNC_TIMEOUT_S, Joined
from tests.support.waiting import wait_until

HOLD = "example.com/hold"


def _blocked(joined: Joined, name: str) -> JsonObject | None:
    return next((one for one in joined.progress().get("blocked", []) if one["name"] == name), None)


def test_a_copy_that_waits_for_a_finalizer_is_told_and_comes_back(joined: Joined) -> None:
    """Somebody deletes it below, where another's finalizer holds it: the reason names that, and goes with it."""
    below = f"/api/v1/namespaces/{joined.home()}/configmaps/held"
    joined.write("held", "1")
    wait_until(lambda: joined.down.get(below) is not None, SYNC_TIMEOUT_S)
    joined.down.merge(below, {"metadata": {"finalizers": [HOLD]}})
    first = joined.down.ok("DELETE", below)["metadata"]["uid"]
    joined.write("held", "2")
    wait_until(lambda: _blocked(joined, "held") is not None, SYNC_TIMEOUT_S)
    why = _blocked(joined, "held")
    assert why is not None
    assert why["reason"] == "Terminating"
    assert HOLD in why["message"]

    joined.down.merge(below, {"metadata": {"finalizers": None}})

    def anew() -> bool:
        found = joined.down.get(below)
        return found is not None and found["metadata"]["uid"] != first and found["data"] == {"k": "2"}

    wait_until(anew, SYNC_TIMEOUT_S)
    wait_until(lambda: _blocked(joined, "held") is None, SYNC_TIMEOUT_S)
