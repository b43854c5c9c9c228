"""Sequences follow from the seed, are written down whole, and can be made shorter; named differences have reasons."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead_api import JsonObject
from tests.fuzz.asked import Edit, Memory, Request, edited, load, shorter
from tests.fuzz.comparing import Difference
from tests.fuzz.coverage import Coverage
from tests.fuzz.definitions import custom_sequences
from tests.fuzz.groups import Groups, Named, named
from tests.fuzz.kinds import Kind, Schemas, load_kinds
from tests.fuzz.run import drawn
from tests.fuzz.sequences import sequences
from tests.fuzz.sides import Answer

NOTHING = Schemas({})
SCHEMA: JsonObject = {
    "type": "object",
    "properties": {"data": {"type": "object", "additionalProperties": {"type": "string"}}, "more": {"type": "integer"}},
}
MAPS = Kind("v1/configmaps", "ConfigMap", is_namespaced=True, templates=({"data": {"a": "b"}},), schema=SCHEMA)


def test_the_same_seed_is_the_same_sequence() -> None:
    """And another seed another one."""
    strategy = sequences(MAPS, NOTHING)
    assert drawn(strategy, 1) == drawn(strategy, 1) != drawn(strategy, 2)


@settings(max_examples=8)
@given(custom_sequences(NOTHING))
def test_sequences_are_read_back_as_they_were_written(requests: list[Request]) -> None:
    """As JSON, in which they are saved."""
    assert load(json.dumps({"requests": [request.to_json() for request in requests]})) == requests


@settings(max_examples=5)
@given(sequences(MAPS, NOTHING))
def test_shorter_sequences_end_in_the_same_request(requests: list[Request]) -> None:
    """Less of something in each; what was asked last stays what is asked last."""
    whole = _size(requests)
    for less in shorter(requests):
        assert (less[-1].verb, less[-1].path) == (requests[-1].verb, requests[-1].path)
        assert _size(less) < whole


def _size(requests: list[Request]) -> int:
    return sum(1 + len(request.edits) + len(request.query) for request in requests)


@given(st.sampled_from(("cut", "set", "twice")), st.text(), st.text())
def test_an_edit_that_leads_nowhere_changes_nothing_else(do: str, first: str, second: str) -> None:
    """Whatever the pointer, the body that is edited stays as it is."""
    body = {"a": {"b": [1, {"c": 2}]}}
    edited(body, (Edit(do, f"/{first}/{second}", 1), Edit(do, f"/a/b/1/{second}", 1)))  # type: ignore[arg-type]
    assert body == {"a": {"b": [1, {"c": 2}]}}


def test_a_key_can_be_said_twice() -> None:
    """As only text can have it, not a map."""
    request = Request(
        "create", "v1/configmaps", "POST", "/", body={"data": {"a": "${id}"}}, edits=(Edit("twice", "/data/a"),)
    )
    assert request.text(Memory("word")) == b'{"data":{"a":"word","a":"word"}}'


def test_all_kinds_have_templates_and_edits() -> None:
    """The file of kinds can be read whole."""
    kinds = load_kinds(_Anything(), NOTHING)
    assert len(kinds) > 50
    assert all(kind.templates and kind.edits for kind in kinds)


class _Anything(dict[str, JsonObject]):
    def __missing__(self, key: str) -> JsonObject:
        return {"kind": key, "namespaced": True}


def test_named_differences_have_a_reason_each() -> None:
    """A line is a pattern and why; patterns are not so wide that they cover everything."""
    lines = named()
    assert all(line.reason and line.pattern for line in lines)
    assert not any(line.covers("get v1/pods 200/200 object spec.unheard") for line in lines)
    assert Named("* v1/pods 200/* object spec.a[] missing", "why").covers("get v1/pods 200/200 object spec.a[] missing")


def test_groups_keep_the_shortest_sequence() -> None:
    """Each difference once, with its count, and the name it has."""
    get = Request("get", "v1/pods", "GET", "/")
    answers = (Answer(200, "", (), b""), Answer(404, "", (), b""))
    groups = Groups([Named("get v1/pods 200/404 code other", "why")])
    for requests in ([get, get], [get], [get, get, get]):
        groups.add(requests, answers, Difference("code", "x", 1, 2))
    groups.add([get], answers, Difference("code", "other", 1, 2))
    (group,) = groups.unnamed
    assert (group.count, len(group.requests), group.key) == (3, 1, "get v1/pods 200/404 code x")
    assert [each.reason for each in groups.excused] == ["why"]


def test_coverage_names_what_was_never_asked() -> None:
    """Verb by collection; what was asked and always refused is told apart."""
    coverage = Coverage()
    coverage.add(Request("create", "v1/configmaps", "POST", "/"), 201)
    coverage.add(Request("get", "v1/configmaps", "GET", "/"), 404)
    never, refused, total = coverage.missed([MAPS])
    assert total == len(never) + 2
    assert "patch-apply v1/configmaps" in never
    assert refused == ["get v1/configmaps"]
    assert coverage.share_2xx == 0.5
