"""Some random sequences to our server and to a real kube-apiserver; a bug that is planted in our answers is found."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fuzz import comparing
from tests.fuzz.asked import Request
from tests.fuzz.comparing import Difference
from tests.fuzz.groups import Groups, named
from tests.fuzz.run import Options, Run, report, run, servers
from tests.fuzz.sides import Address, Answer, pair
from tests.support import processes

SEED = 1
SEQUENCES = 64
"""Each kind once: some thousand requests to each server."""
PLANTED = Options(requests=0, sequences=6, seed=2, only="apps/v1/deployments")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Address, Address]]:
    """Give our server, with all of Kubernetes' kinds, and Kubernetes."""
    with servers(processes.run_directory() / "fuzz") as addresses:
        yield addresses


async def test_random_requests_are_answered_alike(both: tuple[Address, Address]) -> None:
    """Every difference is named, with its reason, in ``tests/fuzz/named.txt``; half of all requests succeed."""
    options = Options(requests=0, sequences=SEQUENCES, seed=SEED, reducing_s=20)
    async with pair(*both) as two:
        made = Run(two, Groups(named()))
        found = await run(options, made)
    print(report(made, found, options))
    assert not made.groups.unnamed, report(made, found, options)
    assert made.coverage.total > 500
    assert made.coverage.share_2xx > 0.5


async def test_a_planted_bug_is_found(both: tuple[Address, Address]) -> None:
    """One default of one kind is another one in what we answer."""
    groups = Groups(named())
    async with pair(*both) as two:
        await run(PLANTED, Run(two, groups, comparer=_forgetful))
    assert [group for group in groups.unnamed if group.difference.where == "spec.revisionHistoryLimit"]


def _forgetful(request: Request, ours: Answer, theirs: Answer, word: str) -> list[Difference]:
    body = ours.body.replace(b'"revisionHistoryLimit":10', b'"revisionHistoryLimit":11')
    return comparing.differences(request, Answer(ours.code, ours.type, ours.warnings, body), theirs, word)
