"""One kubectl, two servers: a workspace of Fairlead and a real kube-apiserver answer alike, word for word."""

from __future__ import annotations

import json

import pytest

from tests.integration.api import accepted, compare
from tests.integration.api.compare import Outcome, Side
from tests.integration.api.scenarios import SCENARIOS


def _adopt(side: Side, namespace: str) -> None:
    """Make the Deployment the owner of the ReplicaSet, as its controller would."""
    found = compare.run(side, "get deploy web -o jsonpath={.metadata.uid}", namespace, raw=True)
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": found.output}
    patch = json.dumps({"metadata": {"ownerReferences": [{**owner, "blockOwnerDeletion": True}]}})
    done = compare.run(side, f"--user=master patch rs web-1 --type=merge -p '{patch}'", namespace)
    assert done.code == 0, done


def _compared(command: str, outcome: Outcome) -> str:
    if "explain " not in command:
        return str(outcome)
    return "\n".join(accepted.EXPLAINED.findall(str(outcome)))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_kubectl_cannot_tell_them_apart(pair: tuple[Side, Side], scenario: str) -> None:
    """Exit code and output of every command are the same, but for what ``accepted`` names with its reason."""
    namespace = f"s-{scenario}"
    for side in pair:
        assert compare.run(side, f"create namespace {namespace}", namespace).code == 0
    differences = []
    for command in SCENARIOS[scenario]:
        if command == "adopt":
            for side in pair:
                _adopt(side, namespace)
            continue
        ours, theirs = compare.both(*pair, command, namespace)
        if f"{scenario}: {command}" not in accepted.COMMANDS:
            differences += compare.difference(command, _compared(command, ours), _compared(command, theirs))
    assert not differences, "\n".join(differences)


def test_every_accepted_difference_names_a_command() -> None:
    """A command that is gone leaves no excuse behind, and every excuse has a reason."""
    asked = {f"{scenario}: {command}" for scenario, commands in SCENARIOS.items() for command in commands}
    assert set(accepted.COMMANDS) <= asked
    assert all(accepted.COMMANDS.values())
    assert all(rule.reason for rule in (*accepted.OURS, *accepted.THEIRS))
