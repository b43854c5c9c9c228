"""Definitions with rules, and objects to try them with, for comparison with a real kube-apiserver."""

from __future__ import annotations

from typing import Any

from fairlead_api import JsonObject

RULES = "x-kubernetes-validations"
INTEGER: JsonObject = {"type": "integer"}
TEXT: JsonObject = {"type": "string", "maxLength": 40}


def rule(text: str, **rest: Any) -> JsonObject:
    """Return one rule."""
    return {"rule": text, **rest}


def having(*rules: JsonObject, **properties: JsonObject) -> JsonObject:
    """Return an object's schema with rules."""
    return {"type": "object", "properties": properties, **({RULES: list(rules)} if rules else {})}


def listed(items: JsonObject, **rest: Any) -> JsonObject:
    """Return a list's schema."""
    return {"type": "array", "items": items, **rest}


_MAP_LIST = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"], "maxItems": 9}
_ENTRY = {**having(rule("self.v >= oldSelf.v"), rule("self.v < 100"), k=TEXT, v=INTEGER), "required": ["k"]}

SCHEMA: JsonObject = having(
    rule("self.metadata.name.startsWith('a')", message="names begin with a"),
    spec=having(
        rule("!has(self.least) || self.least <= self.most", fieldPath=".least", reason="FieldValueForbidden"),
        rule("!has(self.most) || self.most < 50", messageExpression="self.most < 70 ? 'most is much' : ' '"),
        rule("!has(self.most) || self.most != 7", message=" no seven ", reason="FieldValueRequired"),
        rule("!has(self.most) || 10 / self.most > -1"),
        rule("!has(self.names) || self.names.all(n, n != 'bad')", fieldPath=".names['x.y']"),
        rule("!has(self.least) || self.least >= oldSelf.least"),
        rule("!oldSelf.hasValue() || !has(self.most) || self.most != 13", optionalOldSelf=True),
        least=INTEGER,
        most=INTEGER,
        names={
            "type": "object",
            "maxProperties": 5,
            "additionalProperties": {**TEXT, RULES: [rule("self != 'worse'")]},
        },
        text={**TEXT, RULES: [rule("self.size() < 5"), rule("self != 'twin'", reason="FieldValueDuplicate")]},
        number={"type": "number", RULES: [rule("self > 0.5")]},
        either={
            "x-kubernetes-int-or-string": True,
            "maxLength": 9,
            RULES: [rule("self != 1 && self != 'y'")],
        },
        when={"type": "string", "format": "date-time", RULES: [rule("self.getFullYear() > 2000")]},
        flag={"type": "boolean", RULES: [rule("self == oldSelf", message="may not change")]},
        entries=listed(_ENTRY, **_MAP_LIST),
        plain=listed({**INTEGER, RULES: [rule("self > 0")]}, maxItems=9),
    ),
    status=having(rule("!has(self.phase) || self.phase != 'Bad'"), phase=TEXT),
)
"""Of the kind that objects are made of."""

NEW: dict[str, tuple[str, JsonObject]] = {
    "good": ("a", {"least": 1, "most": 2}),
    "name": ("b", {}),
    "field path": ("a", {"least": 3, "most": 2}),
    "message expression": ("a", {"most": 60}),
    "required": ("a", {"most": 7}),
    "division": ("a", {"most": 0}),
    "no such key": ("a", {"least": 3}),
    "map": ("a", {"names": {"p": "bad", "q": "worse"}}),
    "text": ("a", {"text": "too long"}),
    "duplicate": ("a", {"text": "twin"}),
    "number": ("a", {"number": 0.25}),
    "whole number": ("a", {"number": 0}),
    "integer or string": ("a", {"either": "y"}),
    "int": ("a", {"either": 1}),
    "date": ("a", {"when": "1999-01-01T00:00:00Z"}),
    "list": ("a", {"plain": [1, 0, -1]}),
    "entries": ("a", {"entries": [{"k": "a", "v": 100}, {"k": "b", "v": 1}]}),
    "several": ("b", {"most": 70, "text": "too long", "plain": [0]}),
    "nothing": ("a", {"text": None, "names": None, "plain": None}),
    "keys": ("a", {"names": {"x.y": "bad", "": "worse", "a b": "worse"}}),
    "large number": ("a", {"number": 0.5e-20, "most": 9007199254740993}),
    "wrong date": ("a", {"when": "x"}),
    "wrong type": ("b", {"most": "x"}),
    "missing key": ("b", {"entries": [{"v": 1}]}),
    "too many": ("b", {"plain": [1] * 10}),
}
"""Names and specs of objects to create."""

CHANGES: dict[str, tuple[JsonObject, JsonObject]] = {
    "good": ({"least": 1, "most": 2}, {"least": 2, "most": 2}),
    "transition": ({"least": 2, "most": 5}, {"least": 1, "most": 5}),
    "optional": ({"most": 13}, {"most": 13, "least": 1}),
    "appears": ({}, {"flag": True}),
    "flag": ({"flag": True}, {"flag": False}),
    "entry": ({"entries": [{"k": "a", "v": 2}]}, {"entries": [{"k": "b", "v": 1}, {"k": "a", "v": 1}]}),
    "goes": ({"flag": True, "least": 3, "most": 4}, {"flag": None}),
    "null before": ({"flag": None}, {"flag": False}),
    "list": ({"plain": [1, 2]}, {"plain": [1, 0]}),
}
"""Specs of objects before and after an update."""

TIGHTER: JsonObject = {
    **SCHEMA,
    "properties": {
        **SCHEMA["properties"],
        "spec": {
            **SCHEMA["properties"]["spec"],
            RULES: [rule("has(self.most)")],
            "properties": {
                **SCHEMA["properties"]["spec"]["properties"],
                "text": {**TEXT, RULES: [rule("self != 'old'")]},
                "entries": listed({**_ENTRY, RULES: [rule("self.v != 5")]}, **_MAP_LIST),
                "plain": listed({**INTEGER, RULES: [rule("self != 5")]}, maxItems=9),
            },
        },
    },
}
"""The same kind with rules that objects made before it break."""

RATCHETED: dict[str, tuple[JsonObject, JsonObject]] = {
    "unchanged": ({"text": "old"}, {"text": "old", "most": 1}),
    "whole": ({"text": "old"}, {"text": "old"}),
    "changed": ({"text": "ok", "most": 1}, {"text": "old", "most": 1}),
    "entry": (
        {"most": 1, "entries": [{"k": "a", "v": 5}]},
        {"most": 1, "entries": [{"k": "b", "v": 1}, {"k": "a", "v": 5}]},
    ),
    "entry changed": ({"most": 1, "entries": [{"k": "a", "v": 4}]}, {"most": 1, "entries": [{"k": "a", "v": 5}]}),
    "list unchanged": ({"most": 1, "plain": [5, 1]}, {"most": 2, "plain": [5, 1]}),
    "list changed": ({"most": 1, "plain": [5, 1]}, {"most": 1, "plain": [5, 2]}),
}
"""Specs of objects made before the rules were tightened, and after an update."""


def _one(*rules: JsonObject, **properties: JsonObject) -> JsonObject:
    return having(spec=having(*rules, **(properties or {"a": INTEGER, "t": TEXT})))


DEFINITIONS: dict[str, JsonObject] = {
    "good": _one(rule("self.a > 1")),
    "syntax": _one(rule("self.a >")),
    "unknown field": _one(rule("self.b > 1 && self.c == 'x'")),
    "no bool": _one(rule("self.a + 1")),
    "no overload": _one(rule("self.a + 'x' == 'y'")),
    "constant": _one(rule("self.t.matches('[')")),
    "no rule": _one(rule(" ")),
    "empty message": _one(rule("true", message=" ")),
    "lines in message": _one(rule("true", message="a\nb")),
    "lines in rule": _one(rule("true &&\ntrue")),
    "reason": _one(rule("true", reason="Unknown")),
    "field path": _one(rule("true", fieldPath=".x"), rule("true", fieldPath="a"), rule("true", fieldPath=".a[0]")),
    "message is no text": _one(rule("self.a > 1", messageExpression="self.a")),
    "message syntax": _one(rule("self.a > 1", messageExpression="'a' +")),
    "empty message expression": _one(rule("true", messageExpression=" ")),
    "message of any length": _one(rule("self.a > 1", messageExpression="string(self.a) + 'x'")),
    "optional": _one(rule("self.a > 1", optionalOldSelf=True)),
    "both wrong": _one(rule("self.x > 1 && a < b"), rule("self.y", message="<&>")),
    "uncorrelated": _one(rule("true"), l=listed(having(rule("self.a == oldSelf.a"), a=INTEGER), maxItems=3)),
    "set": _one(l=listed({**TEXT, RULES: [rule("self == oldSelf")]}, maxItems=3, **{"x-kubernetes-list-type": "set"})),
    "below map list": _one(
        l=listed({**having(rule("self.k == oldSelf.k"), k=TEXT), "required": ["k"]}, **_MAP_LIST),
    ),
    "expensive": _one(rule("self.l.all(x, self.l.all(y, x == y))"), l=listed({"type": "string"})),
    "somewhat expensive": _one(
        rule("self.l.all(x, self.l.all(y, x == y))"), l=listed({**TEXT, "maxLength": 10}, maxItems=1500)
    ),
    "many cheap": _one(
        *(rule(f"self.l.all(x, self.m.all(y, x == y + '{n}'))") for n in range(20)),
        l=listed({**TEXT, "maxLength": 10}, maxItems=900),
        m=listed({**TEXT, "maxLength": 10}, maxItems=900),
    ),
    "unbounded above": _one(l=listed({"type": "string", RULES: [rule("self.contains('x')")]})),
    "bounded above": _one(l=listed({**TEXT, RULES: [rule("self.contains('x')")]}, maxItems=100)),
    "map above": _one(
        m={"type": "object", "additionalProperties": {"type": "string", RULES: [rule("self.size() > 1")]}}
    ),
    "no type": _one(l={"x-kubernetes-preserve-unknown-fields": True, RULES: [rule("self.x")]}),
    "embedded": _one(
        e={
            **having(rule("self.metadata.name == 'x' && self.kind == 'A'"), spec=having(a=INTEGER)),
            "x-kubernetes-embedded-resource": True,
        }
    ),
    "labels": having(rule("self.metadata.labels.size() > 1"), spec=having()),
    "escaped": _one(rule("self.a__dot__b == 1 && self.__in__ == 1"), **{"a.b": INTEGER, "in": INTEGER}),
    "either": _one(
        e={"x-kubernetes-int-or-string": True, RULES: [rule("type(self) == int ? self > 1 : self == 'x'")]},
        f={"x-kubernetes-int-or-string": True, RULES: [rule("self == 'x'"), rule("self > 1"), rule("self.a")]},
    ),
    "default": _one(a={**INTEGER, "default": 0, RULES: [rule("self > 1")]}),
    "default of a list": _one(
        l=listed(having(rule("self.a > 1"), a=INTEGER), maxItems=3, default=[{"a": 2}, {"a": 1}])
    ),
    "default that compares": _one(a={**INTEGER, "default": 0, RULES: [rule("self != oldSelf")]}),
    "good default": _one(a={**INTEGER, "default": 2, RULES: [rule("self > 1")]}),
    "default of wrong rule": _one(a={**INTEGER, "default": 2, RULES: [rule("self.x")]}),
    "default of an object": _one(o={**having(rule("self.a > 1"), a=INTEGER), "default": {"a": 1}}),
    "nested message": _one(l=listed(having(rule("self.k != ''", messageExpression="'k: ' + self.k"), k=TEXT))),
    "quantity": _one(rule("quantity(self.t).isGreaterThan(quantity('1k'))"), t={"type": "string"}),
    "regular expression": _one(rule("self.t.matches('^[a-z]+$') && self.t.find('x') != ''"), t=TEXT),
    "sets and lists": _one(rule("self.l.isSorted() && sets.contains(self.l, ['a'])"), l=listed(TEXT, maxItems=9)),
    "variables": _one(rule("[1, 2].exists_one(self, self == 1) && oldSelf == self")),
    "long": _one(rule(" && ".join(["self.a > 1"] * 200))),
    "optional fields": _one(rule("self.?a.orValue(2) > 1 && self[?'a'].hasValue()")),
    "dates": _one(
        rule("self.d < timestamp('2020-01-01T00:00:00Z') && self.u > duration('1s')"),
        d={"type": "string", "format": "date-time"},
        u={"type": "string", "format": "duration"},
    ),
    "map keys": _one(
        rule("self.m.all(k, k.startsWith('a') && self.m[k] > 1)"),
        m={"type": "object", "additionalProperties": INTEGER, "maxProperties": 20},
    ),
    "bytes": _one(rule("self.b == b'x' && self.b.size() < 4"), b={"type": "string", "format": "byte"}),
    "enum": _one(rule("self.e in ['a', 'b']"), e={"type": "string", "enum": ["a", "b"]}),
    "uncorrelated map": {
        **_one(m={"type": "object", "additionalProperties": {**INTEGER, RULES: [rule("self >= oldSelf")]}}),
    },
    "both": _one(rule("self.x", message="\n"), rule("self.y")),
    "not structural": _one(rule("self.x"), x={}),
}
"""Schemas of definitions to create."""
