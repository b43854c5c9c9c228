"""Compiled schemas: what they drop, fill in and refuse, in Kubernetes' words."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_api import JsonObject
from fairlead_schema.structural import Content, Structural, compile_schema

SPEC: JsonObject = {
    "type": "object",
    "required": ["a"],
    "properties": {
        "a": {"type": "string", "minLength": 2, "maxLength": 5, "pattern": "^[a-z]+$"},
        "n": {"type": "integer", "minimum": 1, "maximum": 10, "multipleOf": 3},
        "i": {"type": "integer", "format": "int32"},
        "f": {"type": "number", "minimum": 0.5, "exclusiveMinimum": True},
        "e": {"type": "string", "enum": ["p", "q"]},
        "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}, "maxItems": 3},
        "m": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name", "p"],
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string"},
                    "p": {"type": "string", "default": "TCP"},
                    "v": {"type": "integer"},
                },
            },
        },
        "ios": {"x-kubernetes-int-or-string": True},
        "kept": {
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": True,
            "properties": {"k": {"type": "object", "properties": {"x": {"type": "string"}}}},
        },
        "map": {
            "type": "object",
            "maxProperties": 2,
            "additionalProperties": {"type": "object", "properties": {"x": {"type": "integer", "default": 4}}},
        },
        "null": {"type": "string", "nullable": True},
        "d": {"type": "string", "default": "dd"},
        "one": {
            "type": "object",
            "properties": {"x": {"type": "string"}, "y": {"type": "string"}},
            "oneOf": [{"required": ["x"]}, {"required": ["y"]}],
        },
        "no": {"type": "string", "not": {"enum": ["bad"]}},
        "t": {"type": "string", "format": "date-time"},
        "embedded": {
            "type": "object",
            "x-kubernetes-embedded-resource": True,
            "x-kubernetes-preserve-unknown-fields": True,
        },
    },
}
SCHEMA = compile_schema({"type": "object", "properties": {"spec": SPEC}})


def _problems(spec: object, schema: Structural = SCHEMA) -> set[tuple[str, str]]:
    """Return (field, message) of what is wrong with a custom resource of that spec."""
    return {(cause.field, cause.message) for cause in schema.validate({"spec": spec})}


@pytest.mark.parametrize(
    ("field", "value", "messages"),
    [
        ("n", 3, set()),
        ("n", 3.0, set()),
        ("n", "3", {'Invalid value: "string": spec.n in body must be of type integer: "string"'}),
        ("n", 0, {"Invalid value: 0: spec.n in body should be greater than or equal to 1"}),
        (
            "n",
            13,
            {
                "Invalid value: 13: spec.n in body should be a multiple of 3",
                "Invalid value: 13: spec.n in body should be less than or equal to 10",
            },
        ),
        ("f", 0.5, {"Invalid value: 0.5: spec.f in body should be greater than 0.5"}),
        ("a", "A", {'Invalid value: "A": spec.a in body should be at least 2 chars long'}),
        ("a", "AB", {"Invalid value: \"AB\": spec.a in body should match '^[a-z]+$'"}),
        ("a", "abcdef", {"Too long: may not be more than 5 bytes"}),
        ("e", "z", {'Unsupported value: "z": supported values: "p", "q"'}),
        ("set", ["a", "b", "c", "d"], {"Too many: 4: must have at most 3 items"}),
        ("ios", True, {'Invalid value: "boolean": spec.ios in body must be of type integer,string: "boolean"'}),
        ("d", None, {'Invalid value: "null": spec.d in body must be of type string: "null"'}),
        ("null", None, set()),
        ("t", "x", {'Invalid value: "x": spec.t in body must be of type date-time: "x"'}),
        ("t", "2020-01-01T00:00:00Z", set()),
    ],
)
def test_a_wrong_value_is_named_as_kubernetes_names_it(field: str, value: object, messages: set[str]) -> None:
    """Texts were taken from kube-apiserver 1.36."""
    assert _problems({"a": "abc", field: value}) == {(f"spec.{field}", message) for message in messages}


def test_composites_and_ranges_report_no_field() -> None:
    """OneOf, not and number ranges carry the path in the text only."""
    assert (
        "<nil>",
        'Invalid value: "": "spec.one" must validate one and only one schema (oneOf). Found none valid',
    ) in (_problems({"a": "abc", "one": {}}))
    assert _problems({"a": "abc", "no": "bad"}) == {
        ("<nil>", 'Invalid value: "": "spec.no" must not validate the schema (not)')
    }
    assert _problems({"a": "abc", "i": 2**31}) == {
        ("<nil>", 'Invalid value: "": Checked value must be of type integer with format int32 in spec.i')
    }


def test_duplicates_in_sets_and_maps_are_reported_once_by_index() -> None:
    """A third copy adds nothing; map items are told apart by all keys."""
    assert _problems({"a": "abc", "set": ["x", "x", "x"]}) == {("spec.set[1]", 'Duplicate value: "x"')}
    items = [{"name": "x", "p": "TCP"}, {"name": "x", "p": "UDP"}, {"name": "x", "p": "TCP"}]
    assert _problems({"a": "abc", "m": items}) == {("spec.m[2]", 'Duplicate value: {"name":"x","p":"TCP"}')}


def test_paths_lead_through_lists_and_maps() -> None:
    """Required fields and wrong types deep inside are found where they are."""
    assert _problems({"a": "abc", "m": [{"p": "x"}], "map": {"k": {"x": "s"}}}) == {
        ("spec.m[0].name", "Required value"),
        ("spec.map.k.x", 'Invalid value: "string": spec.map.k.x in body must be of type integer: "string"'),
    }


def test_prune_drops_what_is_not_declared_and_says_so() -> None:
    """Metadata is ObjectMeta whatever the schema says; preserved objects still prune what they declare."""
    obj = {
        "apiVersion": "a/v1",
        "kind": "X",
        "metadata": {"name": "x", "bogus": 1},
        "other": 1,
        "spec": {
            "kept": {"free": {"a": 1}, "k": {"x": "1", "y": 2}},
            "m": [{"name": "a"}, {"name": "b", "w": 1}],
            "map": {"k": {"x": 1, "z": 1}},
            "embedded": {"apiVersion": "v1", "kind": "Y", "metadata": {"name": "y", "q": 1}, "free": 1},
        },
    }
    assert SCHEMA.prune(obj) == [
        "metadata.bogus",
        "other",
        "spec.embedded.metadata.q",
        "spec.kept.k.y",
        "spec.m[1].w",
        "spec.map.k.z",
    ]
    assert obj == {
        "apiVersion": "a/v1",
        "kind": "X",
        "metadata": {"name": "x"},
        "spec": {
            "kept": {"free": {"a": 1}, "k": {"x": "1"}},
            "m": [{"name": "a"}, {"name": "b"}],
            "map": {"k": {"x": 1}},
            "embedded": {"apiVersion": "v1", "kind": "Y", "metadata": {"name": "y"}, "free": 1},
        },
    }


def test_default_fills_in_everywhere_and_null_counts_as_absent() -> None:
    """Also in list items and map values; a null without a default goes, a nullable one stays."""
    obj: JsonObject = {"spec": {"d": None, "a": None, "null": None, "m": [{"name": "x"}], "map": {"k": {}}}}
    SCHEMA.default(obj)
    assert obj == {"spec": {"d": "dd", "null": None, "m": [{"name": "x", "p": "TCP"}], "map": {"k": {"x": 4}}}}


def test_defaults_are_not_shared_between_objects() -> None:
    """Changing one object's default leaves the next one's alone."""
    schema = compile_schema({"type": "object", "properties": {"d": {"type": "object", "default": {}}}})
    one: JsonObject = {}
    other: JsonObject = {}
    schema.default(one)
    one["d"]["x"] = 1
    schema.default(other)
    assert other == {"d": {}}


DEFINITIONS: dict[str, JsonObject] = {
    "io.k8s.api.apps.v1.DeploymentSpec": {
        "type": "object",
        "required": ["template"],
        "properties": {
            "replicas": {"type": "integer", "format": "int32"},
            "template": {"allOf": [{"$ref": "#/components/schemas/io.k8s.api.core.v1.PodSpec"}], "default": {}},
            "next": {"$ref": "#/definitions/io.k8s.api.apps.v1.DeploymentSpec"},
        },
    },
    "io.k8s.api.core.v1.PodSpec": {
        "type": "object",
        "required": ["containers"],
        "properties": {
            "containers": {"type": "array", "items": {"$ref": "#/components/schemas/io.k8s.api.core.v1.Container"}},
            "overhead": {"type": "object"},
        },
    },
    "io.k8s.api.core.v1.Container": {
        "type": "object",
        "properties": {
            "image": {"type": "string"},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    },
}
BUILTIN = compile_schema(
    {
        "type": "object",
        "properties": {
            "spec": {"allOf": [{"$ref": "#/components/schemas/io.k8s.api.apps.v1.DeploymentSpec"}], "default": {}}
        },
    },
    DEFINITIONS,
)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"replicas": 3, "next": {"next": {"replicas": 1}}}, None),
        ({"replicas": None}, None),
        (
            {"replicas": "3"},
            "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            {"replicas": 1.5},
            "json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            {"replicas": 2**31},
            "json: cannot unmarshal number 2147483648 into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            {"template": {"containers": {}}},
            "json: cannot unmarshal object into Go struct field PodSpec.spec.template.containers "
            "of type []v1.Container",
        ),
        (
            {"template": {"containers": [{"image": 1}]}},
            "json: cannot unmarshal number into Go struct field Container.spec.template.containers.image "
            "of type string",
        ),
    ],
)
def test_a_builtin_kind_refuses_wrong_types_as_its_decoder_does(spec: JsonObject, text: str | None) -> None:
    """Struct and Go type are named; references recurse."""
    assert BUILTIN.typed_errors({"spec": spec}) == text


def test_a_builtin_object_without_fields_holds_anything() -> None:
    """Unlike in a CRD, where it holds nothing."""
    obj = {"spec": {"template": {"overhead": {"cpu": 1}, "bogus": 1}, "next": {"next": {"bogus": 2}}}}
    assert BUILTIN.prune(obj) == ["spec.next.next.bogus", "spec.template.bogus"]
    crd = compile_schema({"type": "object", "properties": {"o": {"type": "object"}}})
    assert crd.prune({"o": {"x": 1}}) == ["o.x"]


def test_zero_is_what_go_encodes_for_an_empty_object() -> None:
    """Structs are there, required lists are null."""
    assert BUILTIN.zero() == {"spec": {"template": {"containers": None}}}


def test_equal_schemas_are_compiled_once() -> None:
    """Shared by content, whatever the order of keys."""
    assert compile_schema({"type": "object", "properties": {}}) is compile_schema({"properties": {}, "type": "object"})


def test_a_schema_that_is_kept_is_encoded_once_for_all_compilations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Naming a large schema takes longer than the write that needs it."""
    content = Content({"type": "object", "properties": {"once": {"type": "string"}}})
    first = compile_schema(content)
    monkeypatch.setattr(Content, "encoded", lambda _: pytest.fail("encoded again"))
    assert compile_schema(content) is first


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["p", "abc", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["a", "n", "m", "map", "kept", "k", "x", "name", "p", "zz"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_pruning_and_defaulting_settle(spec: object) -> None:
    """Done twice they change nothing, and what was pruned has nothing unknown left."""
    obj = {"spec": spec}
    SCHEMA.prune(obj)
    SCHEMA.default(obj)
    once = copy.deepcopy(obj)
    assert SCHEMA.prune(obj) == []
    SCHEMA.default(obj)
    assert obj == once


@given(JSON)
def test_validation_never_changes_nor_fails(spec: object) -> None:
    """Any JSON can be judged."""
    obj = {"spec": spec}
    before = copy.deepcopy(obj)
    SCHEMA.validate(obj)
    BUILTIN.typed_errors(obj)
    assert obj == before
