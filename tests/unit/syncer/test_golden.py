"""
What an agent of the last release rendered is what this one renders: an upgrade restarts no Pod (design section 7).

A golden file per release holds views and what was made of them. Another result is a rollout of every workload of every
user: the way out is to keep rendering as before, never to write the file anew.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fairlead_transforms.downstream import DownstreamContext, to_downstream
from fairlead_transforms.podtemplate import PodContext

GOLDEN = sorted((Path(__file__).parent / "testdata").glob("rendered-*.json"))
CONTEXT = DownstreamContext("kcp-1x2y3z", PodContext("fairlead.example.com", "6443", "shop", "aKey"))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_no_object_is_rendered_otherwise_than_before(path: Path) -> None:
    """Every view of the file gives the very object of the file."""
    cases = json.loads(path.read_text())
    assert {case["resource"] for case in cases} >= {"deployments", "statefulsets", "daemonsets", "jobs", "cronjobs"}
    for case in cases:
        rendered = to_downstream(case["group"], case["resource"], case["view"], CONTEXT)
        assert rendered == case["rendered"], case["resource"]


def test_there_is_a_golden_file() -> None:
    """An empty folder would prove nothing."""
    assert GOLDEN
