"""The folders of simulated clusters."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairlead_cli.failure import Failure
from fairlead_cli.labs import READY, Lab, kubeconfig_of, names

KUBECONFIG = """
apiVersion: v1
kind: Config
clusters: [{name: base, cluster: {server: "https://127.0.0.1:1"}}, {name: root, cluster: {server: "https://127.0.0.1:2"}}]
users: [{name: admin, user: {token: t}}]
contexts: [{name: base, context: {cluster: base, user: admin}}, {name: root, context: {cluster: root, user: admin}}]
current-context: root
"""


def test_names_go_round_the_regions() -> None:
    """Names are unique, and say where the cluster pretends to be."""
    found = names(8)
    assert found[:3] == [("lab-eu-1", "eu-1"), ("lab-us-1", "us-1"), ("lab-ap-1", "ap-1")]
    assert found[6] == ("lab-eu-2", "eu-2")
    assert len({name for name, _ in found}) == 8


def test_a_cluster_runs_as_long_as_its_process_holds_the_lock(tmp_path: Path) -> None:
    """A ready mark left by a process that was killed does not count; a second process is refused."""
    lab = Lab(tmp_path)
    assert not lab.is_running
    with lab.owned():
        assert lab.is_running
        (tmp_path / READY).touch()
        assert lab.is_ready
        with pytest.raises(Failure, match="runs already"), lab.owned():
            pass
    (tmp_path / READY).touch()
    assert not lab.is_ready


def test_contexts_are_named_after_clusters(tmp_path: Path) -> None:
    """Each context holds what the server's current one does."""
    for name in ("lab-a", "lab-b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "admin.kubeconfig").write_text(KUBECONFIG)
    config = kubeconfig_of([Lab(tmp_path / "lab-a"), Lab(tmp_path / "lab-b")])
    assert [one["name"] for one in config["contexts"]] == ["lab-a", "lab-b"]
    assert config["clusters"][1] == {"name": "lab-b", "cluster": {"server": "https://127.0.0.1:2"}}
    assert config["users"][0]["user"] == {"token": "t"}


def test_an_unknown_cluster_is_explained(tmp_path: Path) -> None:
    """The failure names those that exist and how to make some."""
    with pytest.raises(Failure, match="there are: none · make some with"):
        Lab(tmp_path / "nope").spec()
