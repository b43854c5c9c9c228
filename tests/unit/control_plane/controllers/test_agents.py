"""What a SyncTarget says of its agents' versions."""

import pytest

from fairlead_control_plane.controllers.agents import lost_condition, standby_condition, version_condition


@pytest.mark.parametrize(
    ("agent", "own", "expected"),
    [
        ("0.4.1", "0.4.9", None),
        ("0.4.1+local", "0.4.1", None),
        ("", "0.4.1", None),
        ("what?", "0.4.1", None),
        ("0.3.9", "0.4.0", ("True", "AgentOlder", "Warning")),
        ("0.2.0", "0.4.0", ("True", "AgentOlder", "Warning")),
        ("0.1.9", "0.4.0", ("False", "AgentTooOld", "Error")),
        ("0.9.0", "1.0.0", ("False", "AgentTooOld", "Error")),
        ("0.5.0", "0.4.7", ("False", "AgentTooNew", "Warning")),
        ("1.0.0", "0.9.0", ("False", "AgentTooNew", "Warning")),
    ],
)
def test_two_minor_versions_back_are_supported(agent: str, own: str, expected: tuple[str, str, str] | None) -> None:
    """An older one is warned of, one too old or too new is an error; one that cannot be read is nothing."""
    found = version_condition(agent, own)
    assert (found and (found["status"], found["reason"], found["severity"])) == expected
    assert found is None or (agent in found["message"] and "upgrade" in found["message"])


def test_who_waits_is_named_and_nobody_is_nothing() -> None:
    """The hosts, in order."""
    assert standby_condition([]) is None
    assert "a, b" in (standby_condition(["a", "b"]) or {})["message"]


def test_f35_a_refused_credential_is_told_from_a_cluster_that_is_away() -> None:
    """By the code that the cluster answered with."""
    assert lost_condition("") is None
    assert (lost_condition("401 Unauthorized") or {})["reason"] == "CredentialsRefused"
    assert (lost_condition("GET https://c: refused") or {})["reason"] == "ClusterUnreachable"
