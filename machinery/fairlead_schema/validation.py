"""
Checking values against a schema, with Kubernetes' words.

Each node compiles to a list of checks; a valid object costs the checks and nothing else.

Source: k8s.io/kube-openapi/pkg/validation/validate, k8s.io/apiextensions-apiserver/pkg/apiserver/validation and
schema/listtype.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from fairlead_api import JsonObject
from fairlead_api.errors import Cause
from fairlead_schema import causes
from fairlead_schema.causes import PATH, Problem, number, quote
from fairlead_schema.formats import check_of
from fairlead_schema.node import LIST, MAP, META_FIELDS, Node
from fairlead_schema.patterns import compile_pattern

Check = Callable[[Any], list[Problem] | None]
"""Takes a value; returns what is wrong with it, None for nothing."""

MOST = 1_000
"""Problems below one value after which no more are looked for: each may name all of a long list of allowed values."""

_WALK = "validate"
_LEAST, _MOST = -(2**63), 2**63 - 1
"""What is outside of these a Go decoder reads as a number with a fraction."""
_INTEGER_LIMITS = {"int32": 2**31}


def validate(node: Node, obj: Any) -> list[Cause]:
    """Return everything that is wrong with ``obj``; it is not changed."""
    problems = checker(node)(obj)
    found = [problem.cause() for problem in problems or ()]
    if not node.scope.lenient and isinstance(obj, dict):
        found += [problem.cause() for problem in duplicates(node, obj)]
    return found


def checker(node: Node) -> Check:
    """Return the check of a node's values."""
    check: Check | None = node._walks.get(_WALK)  # noqa: SLF001 - shared nodes share their walks
    if check is None:
        check = node._walks[_WALK] = _make(node)  # noqa: SLF001
    return check


def _make(node: Node) -> Check:
    type_check = _type_check(node)
    enum_check = _enum_check(node.raw.get("enum"))
    checks = [check for check in (enum_check, *_by_value(node.raw), *_composites(node)) if check]
    fields = _fields_check(node) if _declares_fields(node.raw) else None
    items = _items_check(node) if "items" in node.raw else None

    def check(value: Any) -> list[Problem] | None:
        found = type_check(value) if type_check else None
        if value is None:
            return (found or []) + (enum_check(value) or []) if enum_check else found
        for each in checks:
            problems = each(value)
            if problems:
                found = (found or []) + problems
        inner = fields if type(value) is dict else items if type(value) is list else None
        if inner is not None:
            problems = inner(value)
            if problems:
                found = (found or []) + problems
        return found

    return check


def _declares_fields(raw: JsonObject) -> bool:
    return any(key in raw for key in ("properties", "additionalProperties", "required"))


def schema_type(value: Any) -> str:
    """Return the JSON Schema type of a value."""
    if type(value) is bool:
        return "boolean"
    return {str: "string", int: "integer", float: "number", dict: "object", list: "array"}.get(type(value), "null")


def _type_check(node: Node) -> Check | None:
    raw = node.raw
    if raw.get("x-kubernetes-int-or-string") or raw.get("format") == "int-or-string":
        types: tuple[str, ...] = ("integer", "string")
    elif raw.get("type"):
        types = (str(raw["type"]),)
    else:
        return None
    names = ",".join(types)
    accepted = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": float}
    python_types = frozenset(accepted[name] for name in types if name in accepted) | (
        {int} if "number" in types else set()
    )
    nullable, takes_integers = node.nullable, "integer" in types

    def check(value: Any) -> list[Problem] | None:
        kind = type(value)
        if kind is int and takes_integers and not _LEAST <= value <= _MOST:
            return [causes.type_invalid("number", f'{PATH} in body must be of type {names}: "number"')]
        if kind in python_types or (value is None and nullable):
            return None
        if takes_integers and kind is float and value.is_integer():
            return None
        given = schema_type(value)
        return [causes.type_invalid(given, f'{PATH} in body must be of type {names}: "{given}"')]

    return check


def _enum_check(allowed: list[Any] | None) -> Check | None:
    if allowed is None:
        return None
    texts = frozenset(item for item in allowed if type(item) is str)

    def check(value: Any) -> list[Problem] | None:
        if type(value) is str and value in texts:
            return None
        if any(value == item and (type(value) is bool) == (type(item) is bool) for item in allowed):
            return None
        return [causes.not_supported(value, allowed)]

    return check


def _by_value(raw: JsonObject) -> Iterator[Check]:
    """Yield the checks of strings, numbers, list sizes and object sizes."""
    if raw.get("maxLength") is not None or raw.get("minLength") is not None or "pattern" in raw:
        yield _string_check(raw)
    if raw.get("format"):
        yield from _format_checks(raw)
    if raw.get("type") == "integer":
        yield _range_check(str(raw.get("format") or ""))
    if any(raw.get(key) is not None for key in ("maximum", "minimum", "multipleOf")):
        yield _number_check(raw)
    if raw.get("maxItems") is not None or raw.get("minItems") is not None or raw.get("uniqueItems"):
        yield _size_check(raw)
    if raw.get("maxProperties") is not None or raw.get("minProperties") is not None:
        yield _breadth_check(raw)


def _string_check(raw: JsonObject) -> Check:
    longest, shortest, pattern = raw.get("maxLength"), raw.get("minLength"), raw.get("pattern") or ""
    search = compile_pattern(pattern).search if pattern else None

    def check(value: Any) -> list[Problem] | None:
        if type(value) is not str:
            return None
        if longest is not None and len(value) > longest:
            return [causes.too_long(int(longest))]
        if shortest is not None and len(value) < shortest:
            return [causes.invalid(value, f"{PATH} in body should be at least {int(shortest)} chars long")]
        if search is not None and search(value) is None:
            return [causes.invalid(value, f"{PATH} in body should match '{pattern}'")]
        return None

    return check


def _format_checks(raw: JsonObject) -> Iterator[Check]:
    name = str(raw["format"])
    if raw.get("type") in (None, "", "string"):
        is_valid = check_of(name)
        if is_valid is not None:
            yield (
                lambda value: (
                    None
                    if type(value) is not str or is_valid(value)
                    else [causes.type_invalid(value, f"{PATH} in body must be of type {name}: {quote(value)}")]
                )
            )


def _range_check(form: str) -> Check:
    """Refuse numbers an integer of this format cannot hold."""
    limit = _INTEGER_LIMITS.get(form, 2**63)
    words = f"with format {form}" if form else "(default format)"
    text = f'Invalid value: "": Checked value must be of type integer {words} in {PATH}'

    def check(value: Any) -> list[Problem] | None:
        if type(value) not in (int, float) or (float(value).is_integer() and -limit <= value < limit):
            return None
        return [Problem("", "FieldValueInvalid", text, is_whole=True)]

    return check


def _number_check(raw: JsonObject) -> Check:
    top, bottom, factor = raw.get("maximum"), raw.get("minimum"), raw.get("multipleOf")
    below_top, above_bottom = bool(raw.get("exclusiveMaximum")), bool(raw.get("exclusiveMinimum"))

    def check(value: Any) -> list[Problem] | None:
        if type(value) not in (int, float):
            return None
        found = []
        if factor is not None and not _is_multiple(value, factor):
            found.append(causes.invalid(value, f"{PATH} in body should be a multiple of {number(factor)}"))
        if top is not None and (value > top or (below_top and value == top)):
            words = "less than" if below_top else "less than or equal to"
            found.append(causes.invalid(value, f"{PATH} in body should be {words} {number(top)}"))
        if bottom is not None and (value < bottom or (above_bottom and value == bottom)):
            words = "greater than" if above_bottom else "greater than or equal to"
            found.append(causes.invalid(value, f"{PATH} in body should be {words} {number(bottom)}"))
        return found or None

    return check


def _is_multiple(value: float, factor: float) -> bool:
    if type(value) is int and float(factor).is_integer():
        return value % int(factor) == 0
    quotient = 1 / factor * value if factor < 1 else value / factor
    return abs(quotient - round(quotient)) < 1e-9


def _size_check(raw: JsonObject) -> Check:
    most, least, unique = raw.get("maxItems"), raw.get("minItems"), bool(raw.get("uniqueItems"))

    def check(value: Any) -> list[Problem] | None:
        if type(value) is not list:
            return None
        found = []
        if least is not None and len(value) < least:
            found.append(causes.invalid(len(value), f"{PATH} in body should have at least {int(least)} items"))
        if most is not None and len(value) > most:
            found.append(causes.too_many(len(value), int(most)))
        if unique and len({causes.compact(item) for item in value}) < len(value):
            found.append(causes.invalid("", f"{PATH} in body shouldn't contain duplicates"))
        return found or None

    return check


def _breadth_check(raw: JsonObject) -> Check:
    most, least = raw.get("maxProperties"), raw.get("minProperties")

    def check(value: Any) -> list[Problem] | None:
        if type(value) is not dict:
            return None
        found = []
        if least is not None and len(value) < least:
            found.append(causes.invalid(len(value), f"{PATH} in body should have at least {int(least)} properties"))
        if most is not None and len(value) > most:
            found.append(causes.too_many(len(value), int(most)))
        return found or None

    return check


def _fields_check(node: Node) -> Check:
    required = tuple(node.raw.get("required") or ())
    is_closed = node.raw.get("additionalProperties") is False
    tables: list[tuple[dict[str, Check], Check | None]] = []

    def check(value: Any) -> list[Problem] | None:
        if not tables:
            table = {name: checker(_declared(node, name)) for name in node.raw.get("properties") or ()}
            tables.append((table, checker(node.extra) if node.extra else None))
        table, others = tables[0]
        found: list[Problem] | None = None
        for name, item in value.items():
            check_field = table.get(name, others)
            problems = check_field(item) if check_field is not None else None
            if problems:
                found = [] if found is None else found
                found.extend(problem.below(f".{name}") for problem in problems)
                if len(found) > MOST:
                    break
            elif is_closed and name not in table:
                found = [] if found is None else found
                found.append(causes.invalid("", f"{PATH}.{name} in body is a forbidden property"))
        for name in required:
            if name not in value:
                found = [*(found or []), causes.required(f".{name}")]
        return found

    return check


def _declared(node: Node, name: str) -> Node:
    """Return the field as the schema has it: rules for metadata stand there, not in ObjectMeta."""
    if node.embeds and name in META_FIELDS:
        return node.scope.node(node.raw["properties"][name])
    return node.properties[name]


def _items_check(node: Node) -> Check | None:
    if node.items is None:
        return None
    inner: list[Check] = []

    def check(value: Any) -> list[Problem] | None:
        if not inner:
            assert node.items is not None
            inner.append(checker(node.items))
        check_item = inner[0]
        found: list[Problem] | None = None
        for index, item in enumerate(value):
            problems = check_item(item)
            if problems:
                found = [] if found is None else found
                found.extend(problem.below(f"[{index}]") for problem in problems)
                if len(found) > MOST:
                    break
        return found

    return check


def _composites(node: Node) -> Iterator[Check]:
    raw = node.raw
    if raw.get("anyOf"):
        yield _any_of([checker(node.scope.node(option)) for option in raw["anyOf"]])
    if raw.get("oneOf") and node.raw.get("format") != "int-or-string":
        yield _one_of([checker(node.scope.node(option)) for option in raw["oneOf"]])
    if raw.get("allOf") and not node.name:
        yield _all_of([checker(node.scope.node(option)) for option in raw["allOf"]])
    if raw.get("not") is not None:
        refuse = checker(node.scope.node(raw["not"]))
        yield lambda value: None if refuse(value) else [causes.composite("must not validate the schema (not)")]


def _any_of(options: list[Check]) -> Check:
    def check(value: Any) -> list[Problem] | None:
        best: list[Problem] | None = None
        for option in options:
            problems = option(value)
            if not problems:
                return None
            best = problems if best is None or len(problems) < len(best) else best
        return [causes.composite("must validate at least one schema (anyOf)"), *(best or [])]

    return check


def _one_of(options: list[Check]) -> Check:
    def check(value: Any) -> list[Problem] | None:
        results = [option(value) for option in options]
        valid = sum(not problems for problems in results)
        if valid == 1:
            return None
        words = f"Found {valid} valid alternatives" if valid else "Found none valid"
        best = [] if valid else min((problems for problems in results if problems), key=len)
        return [causes.composite(f"must validate one and only one schema (oneOf). {words}"), *best]

    return check


def _all_of(options: list[Check]) -> Check:
    def check(value: Any) -> list[Problem] | None:
        results = [option(value) for option in options]
        if not any(results):
            return None
        words = ". None validated" if all(results) else ""
        found = [problem for problems in results for problem in problems or ()]
        return [*found, causes.composite(f"must validate all the schemas (allOf){words}")]

    return check


def duplicates(node: Node, value: Any, path: str = "") -> Iterator[Problem]:
    """Yield items of set and map lists that are there twice; paths as ``a.b[key][0]``."""
    if type(value) is dict and (node.kind == MAP or node.preserves):
        for name, item in value.items():
            if type(item) not in (dict, list):
                continue
            child = node.properties.get(name)
            if node.embeds and name in META_FIELDS:
                continue  # is nobody's business but ObjectMeta's
            if child is not None:
                yield from duplicates(child, item, f"{path}.{name}")
            elif node.extra is not None:
                yield from duplicates(node.extra, item, f"{path}[{name}]")
    elif type(value) is list and node.kind == LIST:
        yield from _duplicate_items(node, value, path)
        if node.items is not None:
            for index, item in enumerate(value):
                yield from duplicates(node.items, item, f"{path}[{index}]")


def _duplicate_items(node: Node, value: list[Any], path: str) -> Iterator[Problem]:
    declared = node.raw.get("x-kubernetes-list-type")
    if declared not in ("set", "map"):
        return
    seen: dict[str, int] = {}
    for index, item in enumerate(value):
        key = item
        if declared == "map":
            if item is not None and type(item) is not dict:
                problem = causes.invalid(item, "must be an object for an array of list-type map")
                yield problem.below(f"{path}[{index}]")
                return
            key = {name: item[name] for name in node.list_keys if name in item} if item else {}
        text = causes.compact(key)
        seen[text] = seen.get(text, 0) + 1
        if seen[text] == 2:  # the third and later copies go unreported, as upstream
            yield causes.duplicate(f"{path}[{index}]", key)
