"""
What a stolen agent credential opens behind its own target's doors: exactly what a table says (S75).

Doors are the server's own list: each virtual workspace that ``/`` names, each word of the agents' routes, and each path
of the workspace's discovery, with every method. A word or a virtual workspace without a line in the table fails.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from fairlead_control_plane.http.syncer_routes import WORDS
from tests.integration.security.conftest import A
from tests.integration.security.test_routes import routes
from tests.integration.syncer.hostile.conftest import Plane
from tests.integration.syncer.hostile.stolen import Agent
from tests.integration.syncer.hostile.test_stolen import METHODS, Door, _answers, _paths

SHUT = frozenset({403, 404, 405})
Expected = dict[str, int]
"""What methods answer that are not shut."""
NONE: Expected = {}
SYNCER_WORDS: dict[str, Expected] = {
    "adopt": NONE,
    "bootstrap": NONE,
    "enroll": {"POST": 400},
    "heartbeat": {"POST": 200},
    "lead": {"POST": 400},
    "resources": {"GET": 200},
    "rotate": {"POST": 400},
    "token": {"POST": 400},
}
"""400: the body has no proof. An invitation is for administrators, and so is the handing over of namespaces."""
VIEWS: dict[str, dict[str, Expected]] = {
    "/services/syncer": SYNCER_WORDS,
    "/services/upsyncer": dict.fromkeys(SYNCER_WORDS, NONE),
    "/services/bin": dict.fromkeys(SYNCER_WORDS, NONE),
}
_OWN_NAMESPACE = "/api/v1/namespaces/default"


def _expected(service: str, cluster: str, path: str, method: str, agent: Agent) -> set[int]:
    """Return what may be answered to a Kubernetes path below ``clusters/<cluster>``."""
    is_own = cluster == agent.cluster
    if service == "/services/syncer":
        if method == "GET" and not path.endswith("/x"):
            return {200}  # a list of what this target must run: another's and a stranger's are empty
        if cluster != "*" and (method, path.rpartition("/")[2]) == ("PUT", "status"):
            return {400}  # no report; one on what is not assigned is not found: test_s72_a_report_changes_...
        if cluster != "*" and method == "DELETE" and path.endswith("/x"):
            return {200}  # a tombstone of this target's is confirmed: there is none, so nothing is done
        if is_own and (method, path) == ("POST", f"{_OWN_NAMESPACE}/serviceaccounts/x/token"):
            return {400}
    if service == "/services/upsyncer" and is_own:
        pods = f"{_OWN_NAMESPACE}/pods"
        return {("GET", pods): {200}, ("PUT", f"{pods}/x"): {400}, ("DELETE", f"{pods}/x"): {200}}.get(
            (method, path), set()
        )
    return set()


def _kubernetes(plane: Plane) -> list[str]:
    """Return every path of resources that the workspace's discovery names, without its prefix and query."""
    return sorted({path.removeprefix(A).partition("?")[0] for _, path in routes(plane.room, A)})


def _doors(service: str, agent: Agent, clusters: tuple[str, ...], paths: list[str]) -> Iterator[tuple[str, str, Door]]:
    """Yield logical cluster, path and door of each."""
    place = f"{service}/{agent.cluster}/{agent.name}/{agent.uid}/clusters"
    for cluster, path, method in itertools.product(clusters, paths, METHODS):
        yield cluster, path, (method, f"{place}/{cluster}{path}")


def test_s75_every_word_has_its_line(plane: Plane) -> None:
    """Each word with each method in each virtual workspace of one's own target."""
    east = plane.agents["east"]
    services = {path for path in _paths(plane) if path.startswith("/services/")}
    assert services == set(VIEWS), "a virtual workspace without a line, or a line without one"
    wrong = []
    for service, lines in VIEWS.items():
        assert set(lines) == set(WORDS), "a word without a line, or a line without a word"
        place = f"{service}/{east.cluster}/{east.name}/{east.uid}"
        doors = [(method, f"{place}/{word}") for word in lines for method in METHODS]
        for (method, path), (_, code) in zip(doors, _answers(east, doors), strict=True):
            expected = lines[path.rpartition("/")[2]].get(method)
            if code != expected if expected else code not in SHUT:
                wrong.append((method, path, code))
    assert wrong == []


def test_s75_every_path_of_discovery_behind_the_own_door(plane: Plane) -> None:
    """Every resource and subresource with every method, in the own workspace, another and all: as the table says."""
    east, wrong, count = plane.agents["east"], [], 0
    paths = _kubernetes(plane)
    for service in VIEWS:
        found = list(_doors(service, east, (east.cluster, "root", "*"), paths))
        for (cluster, path, (method, _)), (_, code) in zip(
            found, _answers(east, [door for _, _, door in found]), strict=True
        ):
            count += 1
            allowed = _expected(service, cluster, path, method, east)
            if code not in SHUT and code not in allowed:
                wrong.append((service, cluster, path, method, code))
    assert wrong[:10] == []
    assert count > 3000


def test_s75_a_word_is_said_in_one_way(plane: Plane) -> None:
    """By its own method alone: a reading is let through to an agent that waits its turn, and must not speak."""
    east = plane.agents["east"]
    for word in WORDS:
        method = "GET" if word == "resources" else "POST"
        others = [(other, f"{east.door}/{word}") for other in METHODS if other != method]
        assert {code for _, code in _answers(east, others)} <= {403, 405}, word
