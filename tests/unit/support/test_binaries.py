"""Where the Kubernetes programs come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import binaries


def test_assets_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program in KUBEBUILDER_ASSETS is taken, one that is not there comes from the cache."""
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "assets"))
    monkeypatch.setenv("FAIRLEAD_CACHE", str(tmp_path / "cache"))
    given = tmp_path / "assets" / "etcd"
    cached = tmp_path / "cache" / "bin" / f"kwok-{binaries.KWOK_VERSION}" / "kwok"
    for program in (given, cached):
        program.parent.mkdir(parents=True)
        program.touch(mode=0o755)
    assert binaries.binary("etcd") == given
    assert binaries.binary("kwok") == cached
    assert "etcd" not in binaries.missing()
    assert "kubectl" in binaries.missing()


def test_no_go_is_one_line_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Go and without programs the reason names both."""
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("FAIRLEAD_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(binaries.BinariesUnavailable, match=r"no etcd in KUBEBUILDER_ASSETS or .*, and no Go"):
        binaries.binary("etcd")
