"""One request, as it is written down: what only the server knows (uids, revisions) stands in it as a word."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from fairlead_api import JsonObject

Operation = Literal["set", "cut", "twice"]
_WORD = re.compile(r"\$\{(\w+)(?::([^}]*))?\}")
_ABSENT_UID = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True, slots=True)
class Edit:
    """
    A change of a body: ``set`` a value at a JSON pointer, ``cut`` it out, or say its key ``twice``.

    Maps on the way are made; where a pointer leads nowhere, nothing happens.
    """

    do: Operation
    at: str
    value: Any = None


@dataclass(frozen=True, slots=True)
class Request:
    """
    One request of a sequence.

    Attributes:
        verb: Kubernetes' word, with the way of patching: ``patch-merge``; ``settle`` waits and is not compared.
        kind: The collection, as ``apps/v1/deployments``, and the subresource: ``apps/v1/deployments/scale``.
        method: Of HTTP.
        path: May hold words, as may query and body: ``${ns}``, ``${id}``, ``${rv:SLOT}``, ``${uid:SLOT}``,
            ``${listrv}``, ``${continue}``.
        slot: Names the object in the sequence; what was last seen of it gives the words their values.
        query: Parameters.
        body: JSON, or what the edits start from.
        is_seen: The body is the object as it was last seen, if it was.
        edits: Applied to the body in this order.
        headers: ``Content-Type`` and ``Accept``.
    """

    verb: str
    kind: str
    method: str
    path: str
    slot: str = ""
    query: dict[str, str] = field(default_factory=dict)
    body: Any = None
    is_seen: bool = False
    edits: tuple[Edit, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> JsonObject:
        """Return what :meth:`from_json` reads; what is as it is by default is left out."""
        found = {each.name: getattr(self, each.name) for each in fields(self)}
        found["edits"] = [{"do": edit.do, "at": edit.at, "value": edit.value} for edit in self.edits]
        return {name: value for name, value in found.items() if value or (name == "body" and value is not None)}

    @classmethod
    def from_json(cls, found: JsonObject) -> Request:
        """Read one back."""
        return cls(**{**found, "edits": tuple(Edit(**each) for each in found.get("edits", ()))})

    def text(self, memory: Memory) -> bytes | None:
        """Return the body as it is sent to the server that the memory is of."""
        if self.body is None and not self.is_seen:
            return None
        seen = memory.objects.get(self.slot) if self.is_seen else None
        body = edited(self.body if seen is None else seen, self.edits)
        # As compact as servers write it: of data that is not theirs they keep the very bytes.
        return memory.filled(json.dumps(body, separators=(",", ":"))).encode()


@dataclass(slots=True)
class Memory:
    """What one server has said in the course of a sequence, which has ``word`` as its own in all names."""

    word: str
    objects: dict[str, JsonObject] = field(default_factory=dict)
    list_revision: str = "0"
    token: str = ""

    def filled(self, text: str) -> str:
        """Return text with its words replaced."""
        return _WORD.sub(self._word, text)

    def note(self, request: Request, answer: JsonObject) -> None:
        """Remember an answer of the 200s."""
        if request.verb == "list":
            self.list_revision = answer.get("metadata", {}).get("resourceVersion") or self.list_revision
            self.token = answer.get("metadata", {}).get("continue") or ""
        elif request.slot and "dryRun" not in request.query and _is_object(request.path, answer):
            self.objects[request.slot] = answer

    def _word(self, found: re.Match[str]) -> str:
        name, slot = found.groups()
        metadata = self.objects.get(slot or "", {}).get("metadata", {})
        words = {
            "ns": self.word,
            "id": self.word,
            "rv": metadata.get("resourceVersion", "1"),
            "uid": metadata.get("uid", _ABSENT_UID),
            "listrv": self.list_revision,
            "continue": self.token,
        }
        return str(words.get(name, found[0]))


def _is_object(path: str, answer: JsonObject) -> bool:
    """Say whether an answer is a whole object: no scale, no table and no part of one."""
    is_part = answer.get("kind") in ("PartialObjectMetadata", "Scale", "Table")
    return "uid" in answer.get("metadata", {}) and not is_part and not path.endswith(("/eviction", "/binding"))


class _Again(str):
    """A key that is equal to no other, so that a dict says it twice."""

    __slots__ = ()
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


def edited(body: Any, edits: Iterable[Edit]) -> Any:
    """Return a copy of a body with the edits applied."""
    body = copy.deepcopy(body)
    for edit in edits:
        parent, key = _place(body, edit.at, is_made=edit.do == "set")
        if isinstance(parent, dict):
            _edit_map(parent, key, edit)
        elif isinstance(parent, list) and key.isdigit() and int(key) <= len(parent):
            _edit_list(parent, int(key), edit)
    return body


def _edit_map(parent: dict[str, Any], key: str, edit: Edit) -> None:
    if edit.do == "set":
        parent[key] = copy.deepcopy(edit.value)
    elif edit.do == "cut":
        parent.pop(key, None)
    elif key in parent:
        parent[_Again(key)] = copy.deepcopy(parent[key])


def _edit_list(parent: list[Any], index: int, edit: Edit) -> None:
    if edit.do == "set":
        parent[index : index + 1] = [copy.deepcopy(edit.value)]
    elif index < len(parent):
        parent[index : index + 1] = [copy.deepcopy(parent[index])] * 2 if edit.do == "twice" else []


def _place(body: Any, pointer: str, *, is_made: bool) -> tuple[Any, str]:
    """Return the map or list that holds what a pointer names, and its key; ``None`` when there is none."""
    *way, last = steps(pointer)
    for key in way:
        if isinstance(body, dict):
            if is_made and not isinstance(body.get(key), dict | list):
                body[key] = {}
            body = body.get(key)
        elif isinstance(body, list) and key.isdigit() and int(key) < len(body):
            body = body[int(key)]
        else:
            return None, last
    return body, last


def steps(pointer: str) -> list[str]:
    """Return the keys of a JSON pointer."""
    return [key.replace("~1", "/").replace("~0", "~") for key in pointer.split("/")[1:]] or [""]


def pointer_of(keys: Iterable[str | int]) -> str:
    """Return the JSON pointer of keys and indexes."""
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in keys)


def load(text: str) -> list[Request]:
    """Read a saved sequence."""
    return [Request.from_json(each) for each in json.loads(text)["requests"]]


def shorter(requests: list[Request]) -> Iterator[list[Request]]:
    """Yield sequences with less in them, the boldest first; the last request stays."""
    *before, last = requests
    for size in sorted({len(before), len(before) // 2, 1} - {0}, reverse=True):
        for start in range(0, len(before), size):
            yield [*before[:start], *before[start + size :], last]
    for index, request in enumerate(requests):
        for less in _simpler(request):
            yield [*requests[:index], less, *requests[index + 1 :]]


def _simpler(request: Request) -> Iterator[Request]:
    for index in range(len(request.edits)):
        yield replace(request, edits=request.edits[:index] + request.edits[index + 1 :])
    for name in request.query:
        if name not in ("labelSelector", "fieldManager", "watch", "timeoutSeconds"):
            yield replace(request, query={key: value for key, value in request.query.items() if key != name})
