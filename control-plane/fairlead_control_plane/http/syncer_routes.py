"""
What a path below ``/services/syncer/`` or ``/services/upsyncer/`` means.

``<logical cluster>/<SyncTarget>/<uid>/...``, then a word (``heartbeat``) or ``clusters/<cluster or *>/<API path>``.
"""

from __future__ import annotations

from dataclasses import dataclass

from fairlead_api.errors import NotFound
from fairlead_api.request import RequestInfo, parse_request
from fairlead_machinery.web import Request

PROVED = ("enroll", "rotate", "token")
"""Words that need no bearer token of an agent: whoever says them proves a key."""
WORDS = ("adopt", "bootstrap", "heartbeat", "lead", "resources", *PROVED)
"""All words; what is not among them names nothing, so that no route is left out by the tests of stolen credentials."""


@dataclass(frozen=True, slots=True)
class Route:
    """
    A parsed path.

    Attributes:
        cluster, name, uid: The SyncTarget, as the caller names it.
        word: One of :data:`WORDS`, or ``""`` for Kubernetes paths.
        info: Of the Kubernetes path; ``info.cluster`` is a logical cluster name or ``*``. None when ``word`` is set.
    """

    cluster: str
    name: str
    uid: str
    word: str
    info: RequestInfo | None


def parse_route(request: Request, rest: str) -> Route:
    """
    Parse what follows ``/services/<virtual workspace>/``.

    Raises:
        NotFound: The path names nothing here.
    """
    segments = rest.strip("/").split("/")
    if len(segments) < 4 or "" in segments:
        raise NotFound("the server could not find the requested resource")
    cluster, name, uid, word, *tail = segments
    if word != "clusters":
        if tail or word not in WORDS:
            raise NotFound("the server could not find the requested resource")
        return Route(cluster, name, uid, word, None)
    if not tail or ":" in tail[0]:  # only bare cluster names, as in kcp: a path could be made to mean another one
        raise NotFound("the server could not find the requested resource")
    info = parse_request(request.method, tail[0], "/" + "/".join(tail[1:]), request.query)
    return Route(cluster, name, uid, "", info)
