"""A token of the agent's in the cluster that ends is kept where it can be renewed; other credentials are left alone."""

import base64
from pathlib import Path

import orjson
import pytest

from fairlead_machinery.kubeconfig import Credentials
from fairlead_syncer.renewal import Claims, ClusterToken, claims_of


def token(expires: int, subject: str = "system:serviceaccount:agents:east") -> str:
    payload = orjson.dumps({"sub": subject, "iat": 1000, "exp": expires})
    return f"h.{base64.urlsafe_b64encode(payload).decode().rstrip('=')}.s"


def test_claims_are_read() -> None:
    """Namespace, name and times of a service account's token."""
    assert claims_of(token(5000)) == Claims("agents", "east", 1000.0, 5000.0)


@pytest.mark.parametrize("other", ["", "opaque", "a.b.c", "a.e30.c", token(5000, "alice"), token(5000, "a:b:c:d:e")])
def test_other_credentials_are_none(other: str) -> None:
    """An opaque token, another subject, a token that does not end: nothing to renew."""
    assert claims_of(other) is None


def test_other_credentials_stay_as_they_are(tmp_path: Path) -> None:
    """They are used as given, and nothing is written."""
    given = Credentials("https://c", token="opaque")
    assert ClusterToken(given, tmp_path, lambda: 0.0).credentials is given
    assert list(tmp_path.iterdir()) == []


def test_a_token_moves_to_a_private_file(tmp_path: Path) -> None:
    """From where the client reads it again after each renewal."""
    own = ClusterToken(Credentials("https://c", token=token(5000)), tmp_path, lambda: 0.0)
    file = tmp_path / "cluster-token"
    assert (own.credentials.token, own.credentials.token_file) == ("", str(file))
    assert file.read_text() == token(5000)
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("kept", "used"),
    [
        (token(9000), token(9000)),
        (token(4000), token(5000)),
        (token(9000, "system:serviceaccount:agents:other"), token(5000)),
        ("garbage", token(5000)),
    ],
)
def test_after_a_restart_the_one_that_ends_last_is_used(tmp_path: Path, kept: str, used: str) -> None:
    """Unless what was kept is another account's or no token at all."""
    (tmp_path / "cluster-token").write_text(kept)
    ClusterToken(Credentials("https://c", token=token(5000)), tmp_path, lambda: 0.0)
    assert (tmp_path / "cluster-token").read_text() == used
