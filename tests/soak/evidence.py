"""
All that is known of a soak when it has ended; judging it needs nothing that runs any more.

It is kept beside the logs (:data:`FILE`), so that ``python -m tests.soak --judge FOLDER`` can look again, with a
checker that has been mended, say.
"""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fairlead_api import JsonObject
from fairlead_control_plane.store.contract import Row
from tests.soak.measuring import Sample
from tests.soak.plan import Size
from tests.soak.tap import Seen
from tests.support.checking.history import Record

FILE = "evidence.pickle"
Place = tuple[str, str, str, str]
"""Workspace or host, resource, namespace and name."""
Dump = Mapping[str, list[JsonObject]]
"""Objects by resource; namespaces first."""
Revisions = list[tuple[str, list[JsonObject], int]]
"""Resource, all objects and revision."""


@dataclass(frozen=True, slots=True)
class Rest:
    """
    How it came to rest.

    Attributes:
        settled_s: From when on nothing may be written.
        took_s: Seconds from the end of all faults until both sides agreed and were idle.
        problems: What was wrong still when patience ended; empty otherwise.
    """

    settled_s: float
    took_s: float
    problems: list[str]


@dataclass(frozen=True, slots=True)
class Known:
    """An agent: uid of its SyncTarget, its user in the cluster, and what it ended with though nobody killed it."""

    uid: str
    user: str
    endings: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """
    What was seen.

    Attributes:
        agents, audit_logs: By host.
        requests: The control plane's request log.
        workspaces: Names by logical cluster.
        notes: Records made while things happened.
        seen, rows: All that the store was told, and what it held in the end.
        first, last: What was in the clusters.
        after_crashes: Moment, and what was there then, after an API server was killed; by host.
        asked: Deletions above that users asked for.
        done, refused, faults: How often, by sort.
    """

    seed: int
    size: Size
    agents: dict[str, Known]
    audit_logs: dict[str, Path]
    requests: Path
    workspaces: dict[str, str]
    notes: list[Record]
    seen: list[Seen]
    rows: list[Row]
    first: dict[str, Dump]
    last: dict[str, Dump]
    after_crashes: dict[str, list[tuple[float, Revisions]]]
    asked: dict[Place, list[float]]
    done: Counter[str]
    refused: Counter[str]
    faults: Counter[str]
    approved: int
    plane_endings: tuple[int, ...]
    samples: list[Sample]
    rest: Rest
    ended_s: float

    def keep(self, folder: Path) -> None:
        """Write it down."""
        (folder / FILE).write_bytes(pickle.dumps(self))

    @staticmethod
    def kept_in(folder: Path) -> Evidence:
        """Read what :meth:`keep` wrote; only from folders of one's own, as pickles can do anything."""
        found = pickle.loads((folder / FILE).read_bytes())
        assert isinstance(found, Evidence)
        return found
