"""
Label and field selectors.

A :class:`Selector` comes from a text (:func:`parse_labels`), from a LabelSelector object (:func:`from_object`) or is
:data:`EVERYTHING` or :data:`NOTHING`. An absent LabelSelector selects nothing, an empty one everything.

Source: k8s.io/apimachinery pkg/labels, pkg/fields and pkg/apis/meta/v1/helpers.go v0.36.3; messages are Kubernetes'.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from fairlead_api import JsonObject, validation
from fairlead_api.errors import Cause
from fairlead_api.field_errors import invalid, listed, not_supported, quoted

IN, NOT_IN, EXISTS, ABSENT = "in", "notin", "exists", "!"
EQUALS, DOUBLE_EQUALS, NOT_EQUALS, GREATER, LESS = "=", "==", "!=", "gt", "lt"
_OPERATORS = (IN, NOT_IN, EQUALS, DOUBLE_EQUALS, NOT_EQUALS, GREATER, LESS, EXISTS, ABSENT)
_EXPECTED = ", ".join(_OPERATORS[:-2])
_OBJECT_OPERATORS = {"In": IN, "NotIn": NOT_IN, "Exists": EXISTS, "DoesNotExist": ABSENT}
_SIGNS = {EQUALS: "=", DOUBLE_EQUALS: "==", NOT_EQUALS: "!=", IN: " in ", NOT_IN: " notin ", GREATER: ">", LESS: "<"}
_INT64 = 1 << 63


class SelectorError(ValueError):
    """A selector cannot be read; the text is Kubernetes' own message."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """
    One term of a label selector.

    ``operator`` is one of the module's constants; ``values`` is sorted, one entry for ``= == != gt lt``.
    """

    key: str
    operator: str
    values: tuple[str, ...] = ()
    _all: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make the values easy to look up: there may be thousands, and as many objects."""
        object.__setattr__(self, "_all", frozenset(self.values))

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether labels meet it; a missing label meets ``!=`` and ``notin``."""
        value = labels.get(self.key)
        if self.operator in {IN, EQUALS, DOUBLE_EQUALS}:
            return value is not None and value in self._all
        if self.operator in {NOT_IN, NOT_EQUALS}:
            return value is None or value not in self._all
        if self.operator == EXISTS:
            return value is not None
        if self.operator == ABSENT:
            return value is None
        found, wanted = _int64(value), _int64(self.values[0])
        if found is None or wanted is None:
            return False
        return found > wanted if self.operator == GREATER else found < wanted

    def __str__(self) -> str:
        """Write it as kubectl would send it."""
        if self.operator in {EXISTS, ABSENT}:
            return ("!" if self.operator == ABSENT else "") + self.key
        values = ",".join(sorted(self.values))
        if self.operator in {IN, NOT_IN}:
            values = f"({values})"
        return self.key + _SIGNS[self.operator] + values


def _int64(value: str | None) -> int | None:
    if value is None or not re.fullmatch(r"[+-]?[0-9]+", value) or len(value) > 100:
        return None
    number = int(value)
    return number if -_INT64 <= number < _INT64 else None


@dataclass(frozen=True, slots=True)
class Selector:
    """
    All requirements together, sorted by key.

    Attributes:
        requirements: Empty matches everything, unless ``nothing`` is set.
    """

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False

    def matches(self, labels: Mapping[str, str] | None) -> bool:
        """Tell whether an object with these labels (None: it has none) is selected."""
        if self.nothing:
            return False
        labels = labels or {}
        return all(requirement.matches(labels) for requirement in self.requirements)

    @property
    def is_everything(self) -> bool:
        """True when it restricts nothing."""
        return not self.nothing and not self.requirements

    @property
    def is_nothing(self) -> bool:
        """True when it was absent and thus selects no object."""
        return self.nothing

    def exact_value(self, key: str) -> str | None:
        """Return the only value ``key`` may have, for looking up an index; None when it is not pinned."""
        for requirement in self.requirements:
            if requirement.key == key:
                pinned = requirement.operator in {IN, EQUALS, DOUBLE_EQUALS} and len(requirement.values) == 1
                return requirement.values[0] if pinned else None
        return None

    def __str__(self) -> str:
        """Write it as kubectl would send it; empty for everything and for nothing."""
        return ",".join(map(str, self.requirements))


EVERYTHING = Selector()
NOTHING = Selector(nothing=True)


def requirement(key: str, operator: str, values: Sequence[str] = (), *, path: str = "") -> Requirement:
    """
    Build one checked requirement.

    Args:
        key: Label key.
        operator: One of the module's constants.
        values: Kept in the order given.
        path: Field path for messages; ``""`` shows as ``<nil>``, as in Kubernetes.

    Raises:
        SelectorError: Key, operator or values are wrong.
    """
    prefix = f"{path}." if path else ""
    causes: list[Cause] = []
    if messages := validation.label_key(key):
        causes.append(invalid(f"{prefix}key", key, "; ".join(messages)))
    causes += _value_causes(operator, values, prefix)
    for position, value in enumerate(values):
        if messages := validation.label_value(value):
            causes.append(invalid(f"{prefix}values[{position}][{key}]", value, "; ".join(messages)))
    if causes:
        raise SelectorError(listed(causes))
    return Requirement(key, operator, tuple(values))


def _value_causes(operator: str, values: Sequence[str], prefix: str) -> list[Cause]:
    field_path = f"{prefix}values"
    shown = list(values) or None  # a Go slice that was never set is null in messages
    if operator in {IN, NOT_IN}:
        return [] if values else [invalid(field_path, shown, "for 'in', 'notin' operators, values set can't be empty")]
    if operator in {EQUALS, DOUBLE_EQUALS, NOT_EQUALS}:
        wrong = invalid(field_path, shown, "exact-match compatibility requires one single value")
        return [] if len(values) == 1 else [wrong]
    if operator in {EXISTS, ABSENT}:
        wrong = invalid(field_path, shown, "values set must be empty for exists and does not exist")
        return [wrong] if values else []
    if operator not in {GREATER, LESS}:
        return [not_supported(f"{prefix}operator", operator, _OPERATORS)]
    causes = []
    if len(values) != 1:
        causes.append(invalid(field_path, shown, "for 'Gt', 'Lt' operators, exactly one value is required"))
    for position, value in enumerate(values):
        if _int64(value) is None:
            message = "for 'Gt', 'Lt' operators, the value must be an integer"
            causes.append(invalid(f"{field_path}[{position}]", value, message))
    return causes


def from_map(labels: Mapping[str, str] | None) -> Selector:
    """Return the selector of a plain map (a Service's ``spec.selector``), unchecked; an empty one is everything."""
    return _sorted(Requirement(key, EQUALS, (value,)) for key, value in (labels or {}).items())


def from_object(selector: JsonObject | None) -> Selector:
    """
    Read a LabelSelector object.

    Args:
        selector: ``{"matchLabels": {...}, "matchExpressions": [{"key", "operator", "values"}]}``; None selects
            nothing, ``{}`` everything.

    Raises:
        SelectorError: An operator, key or value is wrong.
    """
    if selector is None:
        return NOTHING
    requirements = [requirement(key, EQUALS, [value]) for key, value in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or ():
        operator = _OBJECT_OPERATORS.get(expression.get("operator", ""))
        if operator is None:
            wrong = quoted(str(expression.get("operator", "")))
            raise SelectorError(f"{wrong} is not a valid label selector operator")
        requirements.append(requirement(expression.get("key", ""), operator, expression.get("values") or ()))
    return _sorted(requirements)


def _sorted(requirements: Iterable[Requirement]) -> Selector:
    return Selector(tuple(sorted(requirements, key=lambda one: one.key)))


def parse_labels(text: str) -> Selector:
    """
    Read a label selector as kubectl sends it: ``a=b,c!=d,e in (x,y),!f,g``.

    Raises:
        SelectorError: It cannot be read.
    """
    return _sorted(_Parser(text).parse())


_SPECIAL = "=!(),><"
_TOKENS = frozenset({")", ",", "!", "==", "=", ">", "in", "<", "!=", "notin", "("})
_LEXEME = re.compile(r"[ \t\r\n]*+([=!(),><]{1,3}|[^=!(),>< \t\r\n\0]+)")
"""A word, or signs; no sign is longer than two, so that of a long run no more is looked at for each."""
_END = ("end", "")


@dataclass(slots=True)
class _Parser:
    """Recursive descent over tokens ``(kind, literal)``; ``kind`` is the literal itself, ``id`` or ``end``."""

    text: str
    tokens: list[tuple[str, str]] = field(default_factory=list)
    position: int = 0

    def _scan(self) -> None:
        at = 0
        while match := _LEXEME.match(self.text, at):
            run, at = match[1], match.end()
            if run[0] not in _SPECIAL:
                self.tokens.append((run if run in _TOKENS else "id", run))
                at += self.text.startswith("\0", at)  # Go's lexer takes a zero byte for an end, and swallows it
                continue
            # A run such as "=!" or "!=)" is cut after its longest known beginning.
            known = run[:2] if run[:2] in _TOKENS else run[0]
            self.tokens.append((known, known))
            at -= len(run) - len(known)
            at += known == run and self.text.startswith("\0", at)
        self.tokens.append(_END)

    def _peek(self) -> tuple[str, str]:
        kind, literal = self.tokens[self.position]
        return ("id" if kind in {"in", "notin"} else kind), literal

    def _take(self) -> tuple[str, str]:
        token = self._peek()
        self.position += 1
        return token

    def parse(self) -> list[Requirement]:
        self._scan()
        requirements: list[Requirement] = []
        while True:
            kind, literal = self._peek()
            if kind == "end":
                return requirements
            if kind not in {"id", "!"}:
                raise SelectorError(f"found '{literal}', expected: !, identifier, or 'end of string'")
            try:
                requirements.append(self._requirement())
            except SelectorError as error:
                raise SelectorError(f"unable to parse requirement: {error}") from None
            kind, literal = self._take()
            if kind == "end":
                return requirements
            if kind != ",":
                raise SelectorError(f"found '{literal}', expected: ',' or 'end of string'")
            kind, literal = self._peek()
            if kind not in {"id", "!"}:
                raise SelectorError(f"found '{literal}', expected: identifier after ','")

    def _requirement(self) -> Requirement:
        kind, key = self._take()
        absent = kind == "!"
        if absent:
            kind, key = self._take()
        if kind != "id":
            raise SelectorError(f"found '{key}', expected: identifier")
        if messages := validation.label_key(key):
            raise SelectorError(listed([invalid("", key, "; ".join(messages))]))
        if absent:
            return requirement(key, ABSENT)
        if self._peek()[0] in {"end", ","}:
            return requirement(key, EXISTS)
        operator = self._operator()
        values = self._values() if operator in {IN, NOT_IN} else self._exact_value()
        return requirement(key, operator, sorted(values))

    def _operator(self) -> str:
        kind, literal = self.tokens[self.position]
        self.position += 1
        if kind in {"in", "notin", "=", "==", "!="}:
            return kind
        if kind in {">", "<"}:
            return GREATER if kind == ">" else LESS
        raise SelectorError(f"found '{literal}', expected: {_EXPECTED}")

    def _exact_value(self) -> set[str]:
        if self._peek()[0] in {"end", ","}:
            return {""}
        kind, literal = self._take()
        if kind != "id":
            raise SelectorError(f"found '{literal}', expected: identifier")
        return {literal}

    def _values(self) -> set[str]:
        kind, literal = self._take()
        if kind != "(":
            raise SelectorError(f"found '{literal}' expected: '('")
        kind, literal = self._peek()
        if kind == ")":
            self._take()
            return {""}
        if kind not in {"id", ","}:
            raise SelectorError(f"found '{literal}', expected: ',', ')' or identifier")
        values = self._identifiers()
        self._take()
        return values

    def _identifiers(self) -> set[str]:
        """Read up to, not including, the closing parenthesis; an empty place is the empty value."""
        values: set[str] = set()
        while True:
            kind, literal = self._take()
            if kind == "id":
                values.add(literal)
                kind, literal = self._peek()
                if kind == ")":
                    return values
                if kind != ",":
                    raise SelectorError(f"found '{literal}', expected: ',' or ')'")
            elif kind == ",":
                if not values or self._peek()[0] in {")", ","}:
                    values.add("")
                if self._peek()[0] == ")":
                    return values
            else:
                raise SelectorError(f"found '{literal}', expected: ',', or identifier")


@dataclass(frozen=True, slots=True)
class FieldRequirement:
    """One term of a field selector: ``field`` is a dotted path; ``equal`` is False for ``!=``."""

    field: str
    value: str
    equal: bool = True

    def matches(self, value: str) -> bool:
        """Tell whether the field's value (``""`` when absent) meets it."""
        return (value == self.value) is self.equal

    def __str__(self) -> str:
        """Write it back with special characters escaped."""
        escaped = self.value.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=")
        return f"{self.field}{'=' if self.equal else '!='}{escaped}"


_TERM = re.compile(r"(?:[^\\,]|\\.)*\\?", re.DOTALL)
_FIELD_OPERATOR = re.compile("!=|==|=")


def parse_fields(text: str) -> tuple[FieldRequirement, ...]:
    r"""
    Read a field selector ``a=b,c!=d``; ``\,``, ``\=`` and ``\\`` in values stand for the character itself.

    Raises:
        SelectorError: A term has no operator, or an escape is unknown.
    """
    requirements = []
    for term in sorted(_terms(text)):
        if not term:
            continue
        operator = _FIELD_OPERATOR.search(term)
        if operator is None:
            raise SelectorError(f"invalid selector: '{text}'; can't understand '{term}'")
        value = _unescaped(term[operator.end() :])
        if operator.start() or value:  # as in Go, a bare operator asks nothing
            requirements.append(FieldRequirement(term[: operator.start()], value, operator[0] != "!="))
    return tuple(requirements)


def _terms(text: str) -> list[str]:
    terms, at = [], 0
    while True:
        match = _TERM.match(text, at)
        end = match.end() if match else len(text)
        terms.append(text[at:end])
        if end >= len(text):
            return terms
        at = end + 1


def _unescaped(value: str) -> str:
    characters, escaping = [], False
    for character in value:
        if escaping:
            if character not in "\\,=":
                raise SelectorError(f"invalid field selector: invalid escape sequence: \\{character}")
            characters.append(character)
            escaping = False
        elif character == "\\":
            escaping = True
        elif character in ",=":
            raise SelectorError(f"invalid field selector: unescaped character in value: {ord(character)}")
        else:
            characters.append(character)
    if escaping:
        raise SelectorError("invalid field selector: invalid escape sequence: \\")
    return "".join(characters)
