"""The same requests, byte for byte, to Fairlead and to a real kube-apiserver: code, body and warnings are the same."""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import ssl
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.api import accepted
from tests.integration.api.compare import difference
from tests.integration.api.requests import REQUESTS, Asked
from tests.integration.api.requests_forms import FORMS
from tests.integration.security.wire import Answer, Wire
from tests.support import process_cluster, processes
from tests.support.servers import fairlead_server
from tests.support.waiting import wait_until

_GIVEN = (
    (r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", "UID"),
    (r"\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z", "TIME"),
    (r'("(?:resourceVersion|continue)": ")[^"]+', r"\1GIVEN"),
    (r'"(?:nodePort|healthCheckNodePort)": 3\d{4},?\s*', ""),
    (r'"description": "(?:[^"\\]|\\.)*"', '"description": PROSE'),
    (r'"(?:gitVersion|gitCommit|goVersion|compiler|buildDate|gitTreeState)": "[^"]*"', "VERSION"),
    (r'^(   \s+)"\d+s"', r'\1"AGE"'),
    (r'"serverAddress": "[^"]+"', "ADDRESS"),
    (r"serverAddress: \S+", "ADDRESS"),
    (r"\b(UPPER|lower-)[a-z0-9]{5}\b", r"\1RANDOM"),
    (r'"clusterIP": "10\.96[^"]+",?\s*', ""),
    (r'"clusterIPs": \[\s*"10\.96[^"]+"\s*\],?\s*', ""),
)
"""What a server gives out; Fairlead gives a Service no address, it has one in each cluster it runs in."""

ALL = {**REQUESTS, **FORMS}
_HEADERS = ("warning", "vary", "cache-control", "content-encoding", "retry-after", "x-content-type-options")


@pytest.fixture(scope="module")
def wires() -> Iterator[tuple[Wire, Wire]]:
    """Give Fairlead with all of Kubernetes' kinds, and Kubernetes."""
    folder = processes.run_directory() / "requests"
    cluster = process_cluster.start_api("plain", folder / "cluster")
    try:
        cluster.launch_housekeeping()
        with fairlead_server(folder, "--no-scheduler", "--profile=cluster") as server:
            tls = ssl.create_default_context(cafile=str(cluster.certificate_authority))
            theirs = Wire(cluster.server, cluster.token, tls)
            account = "/api/v1/namespaces/default/serviceaccounts/default"
            wait_until(lambda: theirs.ask("GET", account).code == 200, 30)
            yield Wire.to(server), theirs
    finally:
        cluster.stop()


def _path(path: str, namespace: str) -> str:
    path = path.replace("{ns}", f"/api/v1/namespaces/{namespace}")
    return re.sub(r"\{ns:([^}]+)\}", rf"/apis/\1/namespaces/{namespace}", path)


def _send(wire: Wire, asked: Asked, namespace: str) -> Answer:
    body = json.dumps(asked.body) if isinstance(asked.body, list) else asked.body
    headers = {"User_Agent": "asker/1", **asked.headers}
    if body is not None:
        headers["Content_Type"] = asked.type
    return wire.ask(asked.method, _path(asked.path, namespace), body, **headers)


def _shown(answer: Answer) -> str:
    """Return an answer as text; fields of an object have no order."""
    packed = answer.headers.get("content-encoding") == "gzip"
    text = (gzip.decompress(answer.body) if packed else answer.body).decode(errors="replace")
    try:
        text = _sorted(text) + ("\n" if text.endswith("\n") else "")
    except ValueError:  # a page, YAML or a watch
        with contextlib.suppress(ValueError):
            text = "\n".join(map(_sorted, text.splitlines()))
    for pattern, word in _GIVEN:
        text = re.sub(pattern, word, text, flags=re.MULTILINE)
    head = [f"{answer.code} {answer.headers.get('content-type', '')}"]
    head += [f"{name}: {answer.headers[name]}" for name in _HEADERS if name in answer.headers]
    return "\n".join([*head, re.sub(r",(\s*[}\]])", r"\1", text)])


def _sorted(text: str) -> str:
    return json.dumps(_plain(json.loads(text)), indent=1, sort_keys=True)


def _plain(value: Any) -> Any:
    """
    Leave out what depends on chance, in place.

    A cause is named once (Kubernetes checks metadata twice and says so twice), and managers are sorted by name, not by
    time: two requests may fall into one second here and into two there.
    """
    entries = value.get("metadata", {}).get("managedFields") if isinstance(value, dict) else None
    if entries:
        entries.sort(key=lambda each: (each["manager"], each["operation"], each.get("subresource", "")))
    causes = value.get("details", {}).get("causes") if isinstance(value, dict) else None
    if causes:
        value["details"]["causes"] = [each for index, each in enumerate(causes) if each not in causes[:index]]
    return value


@pytest.mark.parametrize("scenario", ALL)
def test_answers_are_the_same(wires: tuple[Wire, Wire], scenario: str) -> None:
    """Code, body, form and warnings, but for what ``accepted`` names with its reason."""
    namespace = f"r-{scenario}"
    theirs = wires[1]
    for wire in wires:
        assert wire.ask("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}}).code == 201
    account = f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
    wait_until(lambda: theirs.ask("GET", account).code == 200, 30)
    differences = []
    for asked in ALL[scenario]:
        ours, real = (_send(wire, asked, namespace) for wire in wires)
        if not asked.is_step and f"{scenario}: {asked}" not in accepted.REQUESTS:
            differences += difference(str(asked), _shown(ours), _shown(real))
    assert not differences, "\n".join(differences)


def test_every_accepted_request_is_asked() -> None:
    """An excuse goes with its request, and says why."""
    known = {f"{scenario}: {asked}" for scenario, all_asked in ALL.items() for asked in all_asked}
    assert set(accepted.REQUESTS) <= known
    assert all(accepted.REQUESTS.values())
