"""
What can stand in a history, and its form as JSONL: one record a line, in the order in which things happened.

Times are seconds on one clock. ``where`` is "" for the control plane and the uid of a SyncTarget for its cluster. An
``actor`` is ``agent:<SyncTarget uid>``, ``user``, ``backup`` (what restoring one changed), or ``system`` for
controllers and garbage collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, NamedTuple

import orjson


class Owner(NamedTuple):
    """The upstream object that a downstream one stands for; ``uid`` is "" where the namespace as a whole owns it."""

    cluster: str
    namespace: str
    name: str
    uid: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """A SyncTarget: who it is."""

    at_s: float
    uid: str
    cluster: str
    name: str


@dataclass(frozen=True, slots=True)
class Written:
    """
    One object was created, updated or deleted, and the store has it.

    Attributes:
        revision: Of the write, in its own store.
        verb: ``create``, ``update`` or ``delete``.
        resource: ``configmaps``, ``deployments.apps``.
        cluster: Logical cluster; "" downstream.
        owner: Downstream: whom its marks name; None for what carries no marks.
        content: Digest of what users mean by it (:mod:`essence`).
        whole: Digest of everything but server bookkeeping: foreign objects are compared by it.
        changed: Of an update, the parts that changed: ``spec``, ``status``, ``metadata.labels`` and the like.
    """

    at_s: float
    where: str
    revision: int
    verb: str
    actor: str
    resource: str
    cluster: str
    namespace: str
    name: str
    uid: str
    owner: Owner | None = None
    content: str = ""
    whole: str = ""
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Assigned:
    """Where one namespace runs from now on: state (``Sync``, ``Draining``, ``Leaving``) by SyncTarget uid."""

    at_s: float
    revision: int
    cluster: str
    namespace: str
    uid: str
    targets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reported:
    """The control plane took in what a target says of one object; ``generation`` is the upstream one it has seen."""

    at_s: float
    target: str
    resource: str
    cluster: str
    namespace: str
    name: str
    uid: str
    generation: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """A target and its way to the control plane began, or ceased, to work."""

    at_s: float
    target: str
    healthy: bool


@dataclass(frozen=True, slots=True)
class Found:
    """
    One object of a dump; ``phase`` is ``first`` (before the run) or ``last`` (after it).

    Attributes:
        status: Digest of what its controller says (:mod:`essence`); "" for none.
        view: On a control plane's record of a target: that target's uid, with ``content`` its state
            (``Sync`` or ``Removed``) and ``reason`` why it is refused.
    """

    phase: str
    where: str
    resource: str
    cluster: str
    namespace: str
    name: str
    uid: str
    owner: Owner | None = None
    content: str = ""
    whole: str = ""
    status: str = ""
    view: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Settled:
    """From here on nobody changes anything and nothing is broken."""

    at_s: float


@dataclass(frozen=True, slots=True)
class Counted:
    """A number that must stay bounded: ``queue``, ``connects_per_minute``, ``requests_per_minute`` ..."""

    at_s: float
    where: str
    what: str
    value: float


@dataclass(frozen=True, slots=True)
class Asked:
    """Upstream told an agent that an object must go at this very moment; a namespace has no ``namespace``."""

    at_s: float
    target: str
    cluster: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of the history."""

    at_s: float


Record = Target | Written | Assigned | Reported | Health | Found | Settled | Counted | Asked | Ended
_KINDS: dict[str, type[Any]] = {
    kind.__name__: kind for kind in (Target, Written, Assigned, Reported, Health, Found, Settled, Counted, Asked, Ended)
}


def encode(records: Iterable[Record]) -> bytes:
    """Return the JSONL of a history."""
    return b"".join(_line(record) for record in records)


def decode(text: bytes) -> list[Record]:
    """
    Return the history of some JSONL.

    Raises:
        ValueError: A line is no record; the message names it.
    """
    return [_record(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]


def _line(record: Record) -> bytes:
    defaults = {one.name: one.default for one in fields(record)}
    body = {key: value for key, value in asdict(record).items() if value != defaults[key]}
    return orjson.dumps({"is": type(record).__name__, **body}, default=tuple, option=orjson.OPT_SORT_KEYS) + b"\n"


def _record(number: int, line: bytes) -> Record:
    try:
        body = orjson.loads(line)
        kind = _KINDS[body.pop("is")]
        if body.get("owner") is not None:
            body["owner"] = Owner(*body["owner"])
        if "changed" in body:
            body["changed"] = tuple(body["changed"])
        found: Record = kind(**body)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"line {number} is no record of a history: {error}") from error
    return found
