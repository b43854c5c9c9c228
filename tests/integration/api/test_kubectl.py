"""One kubectl, two servers: a workspace of Fairlead and a real kube-apiserver answer alike, word for word."""

from __future__ import annotations

from tests.kubectl import allowed, pairs, scenarios
from tests.kubectl.run import NEWEST, run_all
from tests.support import processes

_JOBS = 3


def test_kubectl_cannot_tell_them_apart() -> None:
    """Exit code and output of every command of a selection are the same, but for what is allowed with its reason."""
    differences = allowed.load()
    chosen = [each for each in scenarios.load() if each.name in scenarios.SHORT]
    with pairs.workspace_pair(processes.run_directory() / "pair", differences) as pair:
        results = list(run_all(chosen, pair, NEWEST, differences, jobs=_JOBS))
    assert len(results) == len(scenarios.SHORT)
    assert not (lines := [line for result in results for line in result.differences]), "\n".join(lines)
