"""Kubeconfig files."""

import base64
import stat
from pathlib import Path

import pytest
import yaml

from fairlead_api import JsonObject
from fairlead_machinery.kubeconfig import KubeconfigError, default_paths, in_cluster, load, put, update


def write(path: Path, **sections: object) -> Path:
    path.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config", **sections}))
    return path


def entry(section: str, name: str, **content: object) -> dict[str, object]:
    return {"name": name, section: content}


@pytest.fixture
def one(tmp_path: Path) -> Path:
    (tmp_path / "ca.crt").write_bytes(b"CA")
    return write(
        tmp_path / "one",
        **{
            "current-context": "a",
            "contexts": [entry("context", "a", cluster="c", user="u", namespace="n")],
            "clusters": [
                entry(
                    "cluster", "c", server="https://host:6443/clusters/root:x/", **{"certificate-authority": "ca.crt"}
                )
            ],
            "users": [entry("user", "u", token="t", **{"client-key-data": base64.b64encode(b"KEY").decode()})],
        },
    )


def test_the_current_context_is_resolved_with_its_files(one: Path) -> None:
    credentials = load([one]).credentials()
    assert credentials.server == "https://host:6443/clusters/root:x"
    assert (credentials.ca, credentials.key, credentials.token, credentials.namespace) == (b"CA", b"KEY", "t", "n")
    assert not credentials.needs_plugin


def test_of_several_files_the_first_to_name_a_thing_wins(one: Path, tmp_path: Path) -> None:
    two = write(
        tmp_path / "two",
        users=[entry("user", "u", token="other"), entry("user", "v", exec={"command": "x"})],
        contexts=[entry("context", "b", cluster="c", user="v")],
        **{"current-context": "b"},
    )
    config = load([tmp_path / "missing", one, two])
    assert config.current_context == "a"
    assert config.credentials().token == "t"
    assert config.credentials("b").needs_plugin
    assert config.names("contexts") == ["a", "b"]
    found = config.find("contexts", "b")
    assert found is not None
    assert found[1] == two


def test_what_is_missing_is_named(one: Path, tmp_path: Path) -> None:
    with pytest.raises(KubeconfigError, match=r"context 'z' does not exist \(.*\); there are: \w"):
        load([one]).credentials("z")
    with pytest.raises(KubeconfigError, match="no context is current"):
        load([]).credentials()
    with pytest.raises(KubeconfigError, match="cannot read"):
        load([tmp_path / "missing"], explicit=True)
    (tmp_path / "bad").write_text("[")
    with pytest.raises(KubeconfigError, match="is not YAML"):
        load([tmp_path / "bad"])


def test_the_environment_lists_files() -> None:
    assert default_paths({"KUBECONFIG": "/a::/b:/a"}) == [Path("/a"), Path("/b")]
    assert default_paths({"HOME": "/home/x"}) == [Path("/home/x/.kube/config")]


def test_an_update_changes_only_its_entry_and_keeps_the_file_private(one: Path) -> None:
    before = yaml.safe_load(one.read_text())

    def change(body: JsonObject) -> None:
        put(body, "contexts", "new", {"cluster": "c", "user": "u"})
        put(body, "contexts", "a", {"cluster": "d", "user": "u"})

    update(one, change)
    after = yaml.safe_load(one.read_text())
    assert after["clusters"] == before["clusters"]
    assert [context["context"]["cluster"] for context in after["contexts"]] == ["d", "c"]
    assert stat.S_IMODE(one.stat().st_mode) == 0o600


def test_a_failed_update_leaves_the_file_as_it_was(one: Path) -> None:
    before = one.read_bytes()

    def change(_: JsonObject) -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        update(one, change)
    assert one.read_bytes() == before
    assert [path.name for path in one.parent.iterdir() if "lock" not in path.name] != []
    assert not [path for path in one.parent.iterdir() if path.name.startswith(".one.") and "lock" not in path.name]


def test_a_pod_finds_its_own_server(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_bytes(b"CA")
    (tmp_path / "namespace").write_text("n\n")
    found = in_cluster({"KUBERNETES_SERVICE_HOST": "::1", "KUBERNETES_SERVICE_PORT": "443"}, tmp_path)
    assert (found.server, found.namespace, found.token_file) == ("https://[::1]:443", "n", str(tmp_path / "token"))
    with pytest.raises(KubeconfigError, match="not in a pod"):
        in_cluster({}, tmp_path)
