"""What going from workspace to workspace does to kubeconfig files."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from fairlead_api import JsonObject
from fairlead_cli import contexts
from fairlead_cli.contexts import CURRENT, PREVIOUS
from fairlead_cli.failure import Failure
from fairlead_machinery import kubeconfig

A, B = "https://h/clusters/root:a", "https://h/clusters/root:b"


def write(path: Path, server: str, **more: object) -> Path:
    """Write a kubeconfig with the context and cluster ``mine``."""
    body = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "mine",
        "clusters": [{"name": "mine", "cluster": {"server": server, "certificate-authority": "ca.crt"}}],
        "users": [{"name": "me", "user": {"token": "t"}}],
        "contexts": [{"name": "mine", "context": {"cluster": "mine", "user": "me", "namespace": "ns"}}],
        **more,
    }
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(body))
    return path


def go(path: Path, server: str) -> None:
    config = kubeconfig.load([path])
    contexts.save(config, config.current_context, contexts.enter(config, config.current_context, server))


def read(path: Path) -> tuple[str, dict[str, JsonObject], dict[str, JsonObject]]:
    body = yaml.safe_load(path.read_text())
    clusters = {one["name"]: one["cluster"] for one in body["clusters"]}
    return body["current-context"], {one["name"]: one["context"] for one in body["contexts"]}, clusters


def test_first_step_keeps_the_users_own_context(tmp_path: Path) -> None:
    """The previous context points to the user's cluster entry; user and namespace go along."""
    file = write(tmp_path / "config", "https://h/clusters/root")
    go(file, A)
    current, found, clusters = read(file)
    assert current == CURRENT
    assert found[CURRENT] == {"cluster": CURRENT, "user": "me", "namespace": "ns"}
    assert found[PREVIOUS] == found["mine"] == {"cluster": "mine", "user": "me", "namespace": "ns"}
    assert clusters[CURRENT] == {"server": A, "certificate-authority": "ca.crt"}
    assert PREVIOUS not in clusters
    assert file.stat().st_mode & 0o777 == 0o600


def test_second_step_and_back(tmp_path: Path) -> None:
    """From the second step on both entries are ours, and going back and forth only exchanges them."""
    file = write(tmp_path / "config", "https://h/clusters/root")
    go(file, A)
    go(file, B)
    _, found, clusters = read(file)
    assert (found[PREVIOUS]["cluster"], clusters[CURRENT]["server"], clusters[PREVIOUS]["server"]) == (PREVIOUS, B, A)
    before = file.read_text()
    for server in (A, B):
        config = kubeconfig.load([file])
        edits = contexts.swap(config, config.current_context)
        assert edits.server() == server
        contexts.save(config, config.current_context, edits)
    assert file.read_text() == before


def test_back_to_the_users_own_context(tmp_path: Path) -> None:
    """After one step, going back uses the user's cluster entry itself."""
    file = write(tmp_path / "config", "https://h/clusters/root")
    go(file, A)
    config = kubeconfig.load([file])
    contexts.save(config, CURRENT, contexts.swap(config, CURRENT))
    _, found, clusters = read(file)
    assert found[CURRENT]["cluster"] == "mine"
    assert (found[PREVIOUS]["cluster"], clusters[PREVIOUS]["server"]) == (PREVIOUS, A)


def test_no_way_back(tmp_path: Path) -> None:
    """Without a previous workspace kcp's words say so."""
    config = kubeconfig.load([write(tmp_path / "config", A)])
    with pytest.raises(Failure, match="no previous workspace found in kubeconfig"):
        contexts.swap(config, "mine")


def test_only_the_owner_of_the_context_is_written(tmp_path: Path) -> None:
    """Of several files the one that owns the context changes; the one that names the current context names it."""
    other = tmp_path / "other"
    other.write_text("apiVersion: v1\nkind: Config\n# untouched\nclusters: []\n")
    file = write(tmp_path / "config", "https://h/clusters/root")
    config = kubeconfig.load([other, file])
    contexts.save(config, "mine", contexts.enter(config, "mine", A))
    assert "# untouched" in other.read_text()
    assert read(file)[0] == CURRENT


def test_files_of_another_folder_are_still_found(tmp_path: Path) -> None:
    """A certificate named relative to one file is named absolutely in another."""
    clusters = write(tmp_path / "x" / "clusters", "https://h/clusters/root", contexts=[])
    users = write(tmp_path / "y" / "users", "https://other", clusters=[])
    config = kubeconfig.load([clusters, users])
    contexts.save(config, "mine", contexts.enter(config, "mine", A))
    body = yaml.safe_load(users.read_text())
    entry = next(one["cluster"] for one in body["clusters"] if one["name"] == CURRENT)
    assert entry["certificate-authority"] == str(tmp_path / "x" / "ca.crt")
    assert kubeconfig.load([clusters, users]).current_context == CURRENT
