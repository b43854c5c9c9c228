"""Server-side apply: who owns what, what goes, what conflicts."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_api import JsonObject
from fairlead_api.errors import BadRequest, Conflict, Unclassified
from fairlead_schema.apply import apply, update
from fairlead_schema.fieldset import FieldSet
from fairlead_schema.managed import decode
from fairlead_schema.structural import compile_schema

PORT: JsonObject = {
    "type": "object",
    "properties": {
        "port": {"type": "integer"},
        "protocol": {"type": "string", "default": "TCP"},
        "name": {"type": "string"},
    },
}
SCHEMA = compile_schema(
    {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "properties": {
                    "replicas": {"type": "integer"},
                    "other": {"type": "string"},
                    "ports": {
                        "type": "array",
                        "items": PORT,
                        "x-kubernetes-list-type": "map",
                        "x-kubernetes-list-map-keys": ["port", "protocol"],
                    },
                    "set": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
                    "list": {"type": "array", "items": {"type": "string"}},
                    "map": {"type": "object", "additionalProperties": {"type": "string"}},
                    "whole": {
                        "type": "object",
                        "additionalProperties": {"type": "string"},
                        "x-kubernetes-map-type": "atomic",
                    },
                    "free": {"x-kubernetes-preserve-unknown-fields": True},
                },
            },
            "status": {"type": "object", "properties": {"ready": {"type": "integer"}}},
        },
    }
)
THEN, NOW = "2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z"
HEAD: JsonObject = {"apiVersion": "g/v1", "kind": "K", "metadata": {"name": "x", "namespace": "n"}}


def _config(**spec: object) -> JsonObject:
    return {**HEAD, "spec": spec}


def _apply(live: JsonObject | None, config: JsonObject, manager: str = "m", **more: Any) -> JsonObject:
    kind = {"schema": SCHEMA, "api_version": "g/v1", "force": False, "now": THEN}
    return apply(live, config, manager=manager, **{**kind, **more})


def _update(live: JsonObject | None, new: JsonObject, manager: str = "u", **more: Any) -> JsonObject:
    return update(live, new, manager=manager, **{"schema": SCHEMA, "api_version": "g/v1", "now": THEN, **more})


def _spec(obj: JsonObject, **changes: object) -> JsonObject:
    """Return a copy of the object with fields of its spec set, or removed where None."""
    spec = {key: value for key, value in {**obj.get("spec", {}), **changes}.items() if value is not None}
    return {**obj, "spec": spec}


def _fields(obj: JsonObject, manager: str) -> JsonObject:
    entries = [entry for entry in obj["metadata"].get("managedFields", ()) if entry["manager"] == manager]
    return entries[0]["fieldsV1"] if entries else {}


def test_creating_owns_what_was_applied() -> None:
    """Lists by key with defaulted keys, sets by value, atomics whole; not what the server sets."""
    config = _config(
        ports=[{"port": 80}], set=["a"], list=["a"], map={"a": "b"}, whole={"a": "b"}, free={"a": {"b": 1}}
    )
    obj = _apply(None, config)
    assert obj["spec"] == config["spec"]
    assert obj["metadata"]["managedFields"] == [
        {
            "manager": "m",
            "operation": "Apply",
            "apiVersion": "g/v1",
            "time": THEN,
            "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:spec": {
                    "f:free": {"f:a": {".": {}, "f:b": {}}},
                    "f:list": {},
                    "f:map": {"f:a": {}},
                    "f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:port": {}}},
                    "f:set": {'v:"a"': {}},
                    "f:whole": {},
                }
            },
        }
    ]


def test_what_is_applied_no_longer_goes_unless_co_owned() -> None:
    """Also items of lists, sets and maps; what an updater set on top stays with its item."""
    first = _config(replicas=1, other="o", ports=[{"port": 80}, {"port": 81}], set=["a", "b"], map={"a": "1", "b": "2"})
    obj = _apply(None, first)
    obj = _apply(obj, _config(other="o", set=["b"]), manager="second")
    obj = _apply(obj, _config(replicas=1, ports=[{"port": 81}], set=["a"], map={"a": "1"}))
    assert obj["spec"] == {"replicas": 1, "other": "o", "ports": [{"port": 81}], "set": ["a", "b"], "map": {"a": "1"}}
    obj = _apply(obj, _config(replicas=1))
    assert obj["spec"] == {"replicas": 1, "other": "o", "set": ["b"]}
    assert _fields(obj, "m") == {"f:spec": {"f:replicas": {}}}


def test_taking_a_field_from_another_manager_conflicts() -> None:
    """Unless forced, or the value is the same: then both own it."""
    obj = _apply(None, _config(replicas=1, other="o"), manager="one")
    shared = _apply(obj, _config(replicas=1), manager="two")
    assert _fields(shared, "one")["f:spec"] == {"f:other": {}, "f:replicas": {}}
    assert _fields(shared, "two")["f:spec"] == {"f:replicas": {}}
    with pytest.raises(Conflict) as caught:
        _apply(shared, _config(replicas=2), manager="two")
    assert caught.value.message == 'Apply failed with 1 conflict: conflict with "one": .spec.replicas'
    forced = _apply(shared, _config(replicas=2), manager="two", force=True)
    assert forced["spec"]["replicas"] == 2
    assert _fields(forced, "one")["f:spec"] == {"f:other": {}}


def test_applying_the_same_again_changes_nothing() -> None:
    """Not even the time."""
    config = _config(replicas=1, ports=[{"port": 80}])
    obj = _apply(None, config)
    assert _apply(obj, config, now=NOW) == obj
    changed = _apply(obj, _config(replicas=2, ports=[{"port": 80}]), now=NOW)
    assert changed["metadata"]["managedFields"][0]["time"] == NOW


def test_an_update_moves_ownership_and_drops_what_is_gone() -> None:
    """The updater owns what it changed; an applier loses it without being asked."""
    obj = _apply(None, _config(replicas=1, other="o", map={"a": "1"}))
    new = _update(obj, _spec(obj, replicas=5, map=None), now=NOW)
    assert _fields(new, "m") == {"f:spec": {"f:other": {}}}
    assert _fields(new, "u") == {"f:spec": {"f:replicas": {}}}
    with pytest.raises(Conflict, match=r'conflict with "u" using g/v1: \.spec\.replicas'):
        _apply(new, _config(replicas=1, other="o"))
    assert _update(new, new, now="2022-01-01T00:00:00Z") == new


def test_status_and_main_resource_are_owned_apart() -> None:
    """A write cannot own what its endpoint resets; entries name the subresource."""
    obj = _update(None, _config(replicas=1), reset_fields=FieldSet.of(("status",)))
    obj = _update(obj, {**obj, "status": {"ready": 1}}, subresource="status", reset_fields=FieldSet.of(("spec",)))
    assert [entry.get("subresource") for entry in obj["metadata"]["managedFields"]] == [None, "status"]
    applied = _apply(obj, {**HEAD, "status": {"ready": 3}}, reset_fields=FieldSet.of(("status",)))
    assert _fields(applied, "m") == {}


def test_the_first_apply_to_an_untracked_object_leaves_the_rest_to_its_past() -> None:
    """Fields that were there belong to ``before-first-apply``."""
    live = {**_config(replicas=1, other="o"), "metadata": {**HEAD["metadata"], "uid": "1"}}
    with pytest.raises(Conflict, match=r'conflict with "before-first-apply" using g/v1: \.spec\.replicas'):
        _apply(live, _config(replicas=2))
    obj = _apply(live, _config(replicas=2), force=True)
    assert _fields(obj, "before-first-apply") == {"f:spec": {".": {}, "f:other": {}}}


def test_clients_may_reset_and_set_owners() -> None:
    """``[{}]`` forgets all; usable entries count; unusable or none leave the stored ones."""
    obj = _apply(None, _config(replicas=1))
    entries = obj["metadata"]["managedFields"]

    def sent(value: object) -> JsonObject:
        return {**obj, "metadata": {**obj["metadata"], "managedFields": value}}

    assert "managedFields" not in _update(obj, sent([{}]))["metadata"]
    assert "managedFields" not in _update(obj, sent([]))["metadata"]
    assert _update(obj, sent(None))["metadata"]["managedFields"] == entries
    assert _update(obj, sent([{"manager": "bad"}]))["metadata"]["managedFields"] == entries
    renamed = [{**entries[0], "manager": "new"}]
    assert _update(obj, sent(renamed))["metadata"]["managedFields"] == renamed
    assert _update(obj, sent([{}]), subresource="status")["metadata"]["managedFields"] == entries


def test_kubectl_may_take_what_its_last_apply_set() -> None:
    """Coming from client-side apply no force is needed, and the annotation is kept true."""
    note = "kubectl.kubernetes.io/last-applied-configuration"
    text = '{"apiVersion":"g/v1","kind":"K","metadata":{"name":"x","namespace":"n"},"spec":{"replicas":1}}'
    created = _config(replicas=1, other="o")
    created["metadata"] = {**HEAD["metadata"], "annotations": {note: text}}
    live = _update(None, created, manager="kubectl-client-side-apply")
    obj = _apply(live, _config(replicas=2), manager="kubectl")
    assert obj["spec"] == {"replicas": 2, "other": "o"}
    assert obj["metadata"]["annotations"][note] == text.replace('"replicas":1', '"replicas":2') + "\n"
    with pytest.raises(Conflict, match=r"\.spec\.other"):
        _apply(live, _config(replicas=2, other="p"), manager="kubectl")


@pytest.mark.parametrize(
    ("config", "error", "text"),
    [
        ({**HEAD, "apiVersion": "g/v2"}, BadRequest, "invalid object type: g/v2, Kind=K"),
        ({**HEAD, "metadata": {"name": "x", "managedFields": []}}, BadRequest, "metadata.managedFields must be nil"),
        (_config(bogus=1), Unclassified, ".spec.bogus: field not declared in schema"),
        (_config(replicas="1"), Unclassified, ".spec.replicas: expected numeric (int or float), got string"),
        (
            _config(ports=[{"port": 80}, {"port": 80, "protocol": "TCP"}]),
            Unclassified,
            '.spec.ports: duplicate entries for key [port=80,protocol="TCP"]',
        ),
        (
            _config(set=[None]),
            Unclassified,
            ".spec.set: element 0: associative list without keys has an element that's an explicit null",
        ),
    ],
)
def test_configs_that_cannot_be_applied(config: JsonObject, error: type[Exception], text: str) -> None:
    """Texts were taken from kube-apiserver 1.36."""
    with pytest.raises(error) as caught:
        _apply(None, config)
    prefix = "failed to create typed patch object (n/x; g/v1, Kind=K): " if error is Unclassified else ""
    assert str(caught.value) == prefix + text


@pytest.mark.parametrize(
    ("live", "config", "merged"),
    [
        ("abc", "d", "abcd"),
        ("abc", "ca", "bca"),
        ("abc", "dac", "dabc"),
        ("abc", "cxb", "acxb"),
        ("abcd", "dcba", "dcba"),
        ("", "ab", "ab"),
    ],
)
def test_lists_weave_config_order_with_live_order(live: str, config: str, merged: str) -> None:
    """Applied items stand as applied; others stay before the next they share."""
    obj = _update(None, _config(set=list(live)))
    assert _apply(obj, _config(set=list(config)))["spec"]["set"] == list(merged)


def test_a_map_that_became_atomic_is_owned_whole() -> None:
    """Entries from before the schema changed are read as the schema of today has them."""
    obj = _apply(None, _config(whole={"a": "b"}))
    obj["metadata"]["managedFields"][0]["fieldsV1"] = {"f:spec": {"f:whole": {"f:a": {}}}}
    obj = _apply(obj, _config(whole={"c": "d"}))
    assert obj["spec"] == {"whole": {"c": "d"}}
    assert _fields(obj, "m") == {"f:spec": {"f:whole": {}}}


TEXT = st.sampled_from(["1", "2"])
SPECS = st.fixed_dictionaries(
    {},
    optional={
        "replicas": st.integers(1, 2),
        "ports": st.lists(
            st.fixed_dictionaries({"port": st.integers(1, 3)}, optional={"protocol": st.just("UDP"), "name": TEXT}),
            max_size=3,
            unique_by=lambda port: (port["port"], port.get("protocol")),
        ),
        "set": st.lists(st.sampled_from("abc"), unique=True, max_size=3),
        "list": st.lists(TEXT, max_size=2),
        "map": st.dictionaries(st.sampled_from("ab"), TEXT, max_size=2),
        "whole": st.dictionaries(st.sampled_from("ab"), TEXT, max_size=2),
        "free": st.dictionaries(
            st.sampled_from("ab"), TEXT | st.dictionaries(st.sampled_from("xy"), TEXT, max_size=2), max_size=2
        ),
    },
)
STEPS = st.lists(st.tuples(st.sampled_from(["one", "two", "up"]), SPECS), min_size=1, max_size=6)


def _holds_empty(value: Any) -> bool:
    """Tell whether there is an empty object or list inside."""
    if not isinstance(value, dict | list):
        return False
    return not value or any(map(_holds_empty, value.values() if isinstance(value, dict) else value))


@given(STEPS)
def test_after_any_history_an_apply_holds_and_repeats_to_nothing(steps: list[tuple[str, JsonObject]]) -> None:
    """What was applied is there; applying again changes nothing; no argument changes; no entry is empty."""
    live: JsonObject | None = None
    for manager, spec in steps:
        config = _config(**spec)
        before = copy.deepcopy((live, config))
        if manager == "up":
            after = _update(live, {**(live or HEAD), "spec": spec})
            assert _update(after, after) == after
        else:
            after = copy.deepcopy(_apply(live, config, manager=manager, force=True))
            SCHEMA.default(after)
            again = _apply(after, config, manager=manager, force=True, now=NOW)
            # What the first apply emptied is gone, as upstream; the second brings it back empty, and when that owns
            # nothing the third takes the object for untracked. Then all is quiet.
            assert again == after or _holds_empty(spec) or not spec
            again = _apply(again, config, manager=manager, force=True)
            assert _apply(again, config, manager=manager, force=True, now=NOW) == again
            got, wanted = after.get("spec") or {}, spec.get("set", [])
            assert spec.get("replicas") in (None, got.get("replicas"))
            assert [item for item in got.get("set") or [] if item in wanted] == wanted
        assert before == (live, config)
        assert all(owned.fields for owned in decode(after["metadata"].get("managedFields")).values())
        live = after


@given(SPECS, SPECS)
def test_two_appliers_in_either_order_end_alike(one: JsonObject, two: JsonObject) -> None:
    """When they do not conflict, only the order of list items may differ."""

    def both(first: JsonObject, second: JsonObject, names: tuple[str, str]) -> JsonObject:
        return _apply(_apply(None, _config(**first), manager=names[0]), _config(**second), manager=names[1])

    try:
        forth = both(one, two, ("one", "two"))
    except Conflict:
        with pytest.raises(Conflict):
            both(two, one, ("two", "one"))
        return
    back = both(two, one, ("two", "one"))
    for name in ("replicas", "map", "whole", "list"):
        assert forth["spec"].get(name) == back["spec"].get(name)
    assert sorted(forth["spec"].get("set") or []) == sorted(back["spec"].get("set") or [])
