"""The fault proxy breaks what it is told to break, in front of a real API server, and nothing else."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import proxy
from tests.support.certificates import make_authority
from tests.support.clusters import Cluster, KubectlFailed, run_kubectl, write_kubeconfig
from tests.support.process_cluster import ADMIN_TOKEN
from tests.support.proxy import FaultProxy, fault_proxy


@pytest.fixture
def broken(kube_cluster: Cluster, tmp_path: Path) -> Iterator[tuple[FaultProxy, Path]]:
    authority = make_authority(tmp_path)
    serving = authority.issue(tmp_path, "proxy")
    with fault_proxy(kube_cluster.server, kube_cluster.certificate_authority, serving) as running:
        kubeconfig = tmp_path / "kubeconfig"
        write_kubeconfig(kubeconfig, "broken", running.url, authority.certificate, ADMIN_TOKEN)
        yield running, kubeconfig


def _names(kubeconfig: Path) -> list[str]:
    found = json.loads(run_kubectl(kubeconfig, "get", "--raw=/api/v1/namespaces"))
    return [item["metadata"]["name"] for item in found["items"]]


def test_passes_on(broken: tuple[FaultProxy, Path]) -> None:
    """Without a fault kubectl works as if it were not there, writes included."""
    _, kubeconfig = broken
    run_kubectl(kubeconfig, "create", "configmap", "through", "--from-literal=a=b")
    assert run_kubectl(kubeconfig, "get", "configmap", "through", "-o", "jsonpath={.data.a}") == "b"
    run_kubectl(kubeconfig, "delete", "configmap", "through")


def test_lists_lose_items(broken: tuple[FaultProxy, Path]) -> None:
    """A list is empty or half, with 200 and its resourceVersion; healing brings the whole one back."""
    running, kubeconfig = broken
    whole = _names(kubeconfig)
    running.inject(proxy.empty_list(), path="/api/v1/namespaces")
    answer = json.loads(run_kubectl(kubeconfig, "get", "--raw=/api/v1/namespaces"))
    assert answer["items"] == []
    assert int(answer["metadata"]["resourceVersion"]) > 0
    running.inject(proxy.keep_items(0.5), path="/api/v1/namespaces")
    assert _names(kubeconfig) == whole[: len(whole) // 2]
    running.heal()
    assert _names(kubeconfig) == whole


@pytest.mark.parametrize("code", [401, 403, 404, 410, 503])
def test_refusals(broken: tuple[FaultProxy, Path], code: int) -> None:
    """A Status of the wanted code is answered for the chosen path alone."""
    running, kubeconfig = broken
    running.inject(proxy.status(code), path="/api/v1/namespaces")
    with pytest.raises(KubectlFailed, match=f"fault proxy: {code}|asked for the client to provide|Unauthorized"):
        _names(kubeconfig)
    assert run_kubectl(kubeconfig, "get", "--raw=/version")


def test_stale_replica(broken: tuple[FaultProxy, Path]) -> None:
    """What was read once is read again after it changed."""
    running, kubeconfig = broken
    running.inject(proxy.stale(), path="/api/v1/namespaces")
    before = _names(kubeconfig)
    run_kubectl(kubeconfig, "create", "namespace", "unseen")
    assert _names(kubeconfig) == before
    running.heal()
    assert "unseen" in _names(kubeconfig)


def test_broken_connections(broken: tuple[FaultProxy, Path]) -> None:
    """An answer is cut short, or never comes."""
    running, kubeconfig = broken
    running.inject(proxy.cut(100), path="/api/v1/namespaces")
    with pytest.raises((KubectlFailed, json.JSONDecodeError)):
        _names(kubeconfig)
    running.inject(proxy.half_open(), path="/api/v1/namespaces")
    with pytest.raises(subprocess.TimeoutExpired):
        run_kubectl(kubeconfig, "get", "--raw=/api/v1/namespaces", timeout_s=1)
