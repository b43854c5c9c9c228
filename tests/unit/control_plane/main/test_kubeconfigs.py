"""The kubeconfig of administrators is theirs, too: what they keep in it outlives a restart."""

from pathlib import Path

import pytest
import yaml

from fairlead_control_plane.main.kubeconfigs import ensure_tokens, write_admin_kubeconfig


def _written(folder: Path, url: str = "https://127.0.0.1:6443", ca: bytes = b"CA") -> Path:
    return write_admin_kubeconfig(folder, url, ca, ensure_tokens(folder), workspaces=True)


def test_what_users_keep_in_it_stays(tmp_path: Path) -> None:
    """The workspace they are in, and contexts of their own."""
    path = _written(tmp_path)
    config = yaml.safe_load(path.read_text())
    mine = {"name": "mine", "context": {"cluster": "root", "user": "kcp-admin", "namespace": "x"}}
    path.write_text(yaml.safe_dump({**config, "contexts": [mine, *config["contexts"]], "current-context": "mine"}))
    before = path.read_bytes()
    assert _written(tmp_path).read_bytes() == before


@pytest.mark.parametrize("text", ["", "{", "a: [", "clusters: 1", "clusters: [1]", "[]"])
def test_what_says_something_else_is_written_anew(tmp_path: Path, text: str) -> None:
    """Another address, another authority, a damaged file."""
    path = _written(tmp_path)
    good = path.read_bytes()
    path.write_text(text)
    assert _written(tmp_path).read_bytes() == good
    moved = yaml.safe_load(_written(tmp_path, url="https://127.0.0.1:7443").read_text())
    assert moved["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:7443/clusters/root"
    assert _written(tmp_path, ca=b"CB").read_bytes() != good
