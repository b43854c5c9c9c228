"""What pytest hands to tests, and what a run says about the clusters it used. Loaded by ``tests/conftest.py``."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from tests.support import binaries, clusters, process_cluster, processes
from tests.support.clusters import Cluster, NotSupported
from tests.support.servers import FairleadServer, fairlead_server

NEEDS_PROGRAMS = {"etcd", "kube_cluster", "two_clusters", "start_clusters", "fairlead"}
"""Fixtures that start Kubernetes programs; these are built before the first test, which has a time limit."""
REAL_TEST_TIMEOUT_S = 300
_LEFT_OUT = pytest.StashKey[dict[str, str]]()
_numbers = itertools.count(1)


def pytest_configure(config: pytest.Config) -> None:
    """Make room for the list of tests left out."""
    config.stash[_LEFT_OUT] = {}


def pytest_report_header() -> str:
    """State which clusters this run uses."""
    return f"clusters: {clusters.provider()}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by their folder, and give those with real processes the time these take."""
    for item in items:
        for name in ("integration", "multicluster"):
            if f"tests/{name}/" in item.path.as_posix():
                item.add_marker(name)
                if item.get_closest_marker("timeout") is None:
                    item.add_marker(pytest.mark.timeout(REAL_TEST_TIMEOUT_S))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build what the collected tests need and is not there, in view of the user."""
    used = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    wanted = binaries.CLUSTER_PROGRAMS if NEEDS_PROGRAMS & used else ()
    wanted += ("helm",) if "helm" in used else ()
    missing = binaries.missing(wanted)
    if session.config.option.collectonly or not missing or binaries.why_unavailable(wanted):
        return
    capture = session.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        for program in missing:
            binaries.binary(program)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Keep logs and data of a run in which something failed."""
    if exitstatus == pytest.ExitCode.OK:
        processes.discard_run_directory()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config) -> None:
    """Name loudly what was left out, and where the logs of a failed run are."""
    left_out = config.stash[_LEFT_OUT]
    if left_out:
        terminalreporter.section(f"LEFT OUT: {len(left_out)} tests against real clusters", sep="!", red=True, bold=True)
        for test, reason in left_out.items():
            terminalreporter.line(f"{test}: {reason}")
    if exitstatus != pytest.ExitCode.OK and processes.run_directory.cache_info().currsize:
        terminalreporter.line(f"logs, audit logs and data of this run: {processes.run_directory()}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn what this machine cannot do into a test that was left out, with its reason."""
    report = yield
    if call.excinfo is not None and isinstance(call.excinfo.value, binaries.BinariesUnavailable | NotSupported):
        item.config.stash[_LEFT_OUT][item.nodeid] = str(call.excinfo.value)
        report.outcome = "skipped"
        report.longrepr = (str(item.path), item.reportinfo()[1] or 0, f"LEFT OUT: {call.excinfo.value}")
    return report


def _folder(name: str) -> Path:
    """Return a folder of this run that is not there yet."""
    return processes.run_directory() / f"{name}-{next(_numbers)}"


@pytest.fixture(scope="session")
def etcd() -> Iterator[str]:
    """Give the client URL of an empty etcd that the whole run shares; use keys of your own."""
    folder = _folder("etcd")
    folder.mkdir()
    server = process_cluster.start_etcd(folder)
    yield server.endpoint
    server.stop()


@pytest.fixture(scope="session")
def kube_cluster() -> Iterator[Cluster]:
    """Give a real API server without nodes or controllers, shared by the whole run; use namespaces of your own."""
    cluster = process_cluster.start_api("kube", _folder("kube"))
    yield cluster
    cluster.stop()


@pytest.fixture(scope="session")
def two_clusters() -> Iterator[tuple[Cluster, Cluster]]:
    """Give two whole clusters, ``east`` and ``west``, shared by the whole run; use namespaces of your own."""
    east, west = clusters.start_clusters(["east", "west"], _folder("clusters"))
    yield east, west
    for cluster in (east, west):
        cluster.stop()


@pytest.fixture
def start_clusters() -> Iterator[Callable[[list[str]], list[Cluster]]]:
    """Give a function that starts whole clusters for one test alone, for tests that break them."""
    started: list[Cluster] = []

    def start(names: list[str]) -> list[Cluster]:
        made = clusters.start_clusters(names, _folder("clusters"))
        started.extend(made)
        return made

    yield start
    for cluster in started:
        cluster.stop()


@pytest.fixture
def fairlead() -> Iterator[FairleadServer]:
    """Give a fresh ``fairlead start`` for one test."""
    folder = _folder("fairlead")
    folder.mkdir()
    with fairlead_server(folder) as server:
        yield server
