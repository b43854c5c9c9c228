"""Our own CA and server certificate: made once, renewed in time, private."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from fairlead_control_plane.main import pki
from fairlead_control_plane.main.files import make_directory, write_private
from fairlead_control_plane.main.kubeconfigs import ensure_tokens, write_admin_kubeconfig, write_scheduler_kubeconfig

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOSTS = ("localhost", "127.0.0.1")


def names(path: Path) -> list[str]:
    found = x509.load_pem_x509_certificate(path.read_bytes())
    return [str(each.value) for each in found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value]


def test_makes_certificates_once(tmp_path: Path) -> None:
    """A restart changes nothing; the server's certificate is the CA's."""
    first = pki.ensure(tmp_path, HOSTS, NOW)
    before = first.certificate.read_bytes()
    assert pki.ensure(tmp_path, HOSTS, NOW + timedelta(days=30)) == first
    assert first.certificate.read_bytes() == before
    x509.load_pem_x509_certificate(before).verify_directly_issued_by(x509.load_pem_x509_certificate(first.ca))
    first.context(None)


def test_renews_when_names_change_or_time_runs_out(tmp_path: Path) -> None:
    """The CA stays, so that clients' kubeconfigs go on working."""
    first = pki.ensure(tmp_path, HOSTS, NOW)
    before = first.certificate.read_bytes()
    second = pki.ensure(tmp_path, (*HOSTS, "fairlead.example"), NOW)
    assert "fairlead.example" in names(second.certificate)
    assert second.ca == first.ca
    middle = second.certificate.read_bytes()
    assert middle != before
    pki.ensure(tmp_path, HOSTS, NOW + timedelta(days=310))
    assert second.certificate.read_bytes() != middle


def test_replaces_a_damaged_certificate(tmp_path: Path) -> None:
    """Half a file is no reason not to start."""
    first = pki.ensure(tmp_path, HOSTS, NOW)
    first.certificate.write_bytes(first.certificate.read_bytes()[:100])
    pki.ensure(tmp_path, HOSTS, NOW)
    assert names(first.certificate) == list(HOSTS)


def test_refuses_a_file_that_is_no_key(tmp_path: Path) -> None:
    """A damaged CA key is the user's to decide about: a new CA would lock every client out."""
    pki.ensure(tmp_path, HOSTS, NOW)
    (tmp_path / "ca.key").write_text("not a key")
    with pytest.raises(ValueError, match=r".+"):
        pki.ensure(tmp_path, HOSTS, NOW)


def test_secret_files_are_private(tmp_path: Path) -> None:
    """S56: 0600 and 0700, whatever was there before; a link is replaced, not followed."""
    directory = tmp_path / "root"
    directory.mkdir(mode=0o777)
    make_directory(directory)
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    (directory / "tokens.json.link").symlink_to(victim)
    write_private(directory / "tokens.json.link", b"secret")
    assert victim.read_text() == "untouched"
    found = pki.ensure(directory, HOSTS, NOW)
    tokens = ensure_tokens(directory)
    write_admin_kubeconfig(directory, "https://h", found.ca, tokens, workspaces=True)
    write_scheduler_kubeconfig(directory, "https://127.0.0.1:1", found.ca, tokens)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}


def test_the_admin_kubeconfig_has_kcps_contexts(tmp_path: Path) -> None:
    """``root`` is current; tokens stay over restarts; the profile decides the paths."""
    tokens = ensure_tokens(tmp_path)
    assert ensure_tokens(tmp_path) == tokens
    text = write_admin_kubeconfig(tmp_path, "https://h:1", b"ca", tokens, workspaces=True).read_text()
    for part in (
        "current-context: root",
        "https://h:1/clusters/root",
        "https://h:1/clusters/system:admin",
        "name: base",
    ):
        assert part in text
    assert (
        "/clusters/" not in write_admin_kubeconfig(tmp_path, "https://h:1", b"ca", tokens, workspaces=False).read_text()
    )
    groups = {user.name: user.groups for user in tokens.users(workspaces=True).values()}
    assert groups["kcp-admin"] == ("system:kcp:admin", "system:authenticated")
    assert groups["shard-admin"] == ("system:masters", "system:authenticated")
