"""Users' own expressions and regular expressions."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable

import orjson

from bench.attacks.attack import Attack, Requests
from bench.attacks.definitions import CRDS
from bench.attacks.ground import Ground, definition
from fairlead_api import JsonObject

Prepare = Callable[[Ground], Awaitable[Requests]]
_numbers = itertools.count()
_TEXT: JsonObject = {"type": "string", "maxLength": 1_048_576}


def _rule(text: str, schema: JsonObject, spec: Callable[[], object], copies: int = 1) -> Prepare:
    """Write objects of a kind with a rule, more than once if it may."""

    async def prepare(ground: Ground) -> Requests:
        plural = f"rule{next(_numbers)}s"
        rules = [{"rule": text, "message": f"rule {n}"} for n in range(copies)]
        path = await ground.define(plural, {**schema, "x-kubernetes-validations": rules})
        body = orjson.dumps({**ground.object(plural, "", spec()), "metadata": {"generateName": "a-"}})
        request = ground.target.request("POST", path, body)
        return lambda _: request

    return prepare


def _defined(rule: str, schema: JsonObject, count: int = 1) -> Prepare:
    """Define kinds with such rules."""

    async def prepare(ground: Ground) -> Requests:
        rules = [{"rule": f"{rule} || {n} == 1"} for n in range(count)]
        body = orjson.dumps(definition("placeholders", {**schema, "x-kubernetes-validations": rules}))
        request = ground.target.request("POST", f"{CRDS}?dryRun=All", body)
        return lambda _: request

    return prepare


def _pattern(pattern: str, text: str) -> Prepare:
    async def prepare(ground: Ground) -> Requests:
        plural = f"pattern{next(_numbers)}s"
        schema = {"type": "object", "properties": {"s": {"type": "string", "pattern": pattern}}}
        path = await ground.define(plural, schema)
        body = orjson.dumps({**ground.object(plural, "", {"s": text}), "metadata": {"generateName": "a-"}})
        request = ground.target.request("POST", path, body)
        return lambda _: request

    return prepare


def _object(**properties: JsonObject) -> JsonObject:
    return {"type": "object", "properties": properties}


def _list(items: JsonObject, most: int) -> JsonObject:
    return {"type": "array", "maxItems": most, "items": items}


_WORD: JsonObject = {"type": "string", "maxLength": 20}
_INT: JsonObject = {"type": "integer"}
_WORDS = _object(l=_list(_WORD, 700))
_INTS = _object(l=_list(_INT, 900))
_LONG = _object(s=_TEXT)
_SHORT = _object(s={"type": "string", "maxLength": 60_000})


def _words(count: int) -> Callable[[], object]:
    return lambda: {"l": [f"word-{n}" for n in range(count)]}


def _ints(count: int) -> Callable[[], object]:
    return lambda: {"l": list(range(count))}


def _text(text: str) -> Callable[[], object]:
    return lambda: {"s": text}


ATTACKS = (
    Attack("rules: pattern (a+)+$", _pattern("^(a+)+$", "a" * 500_000 + "!")),
    Attack("rules: pattern (a|aa)*b", _pattern("^(a|aa)*b$", "a" * 500_000)),
    Attack("rules: pattern x{1000}{...}", _pattern("(((x{30}){30}))*y", "x" * 1_000_000)),
    Attack("rules: pattern .*.*.*=", _pattern("^.*.*.*=.*.*$", "a" * 1_000_000)),
    Attack("rules: pattern [^]*", _pattern("(.*)(.*)(.*)(.*)(.*)[0-9]{200}$", "1" * 1_000_000)),
    Attack("rules: all in all", _rule("self.l.all(x, self.l.exists(y, y == x))", _INTS, _ints(900))),
    Attack("rules: all in all, 6 times", _rule("self.l.all(x, self.l.exists(y, y == x))", _INTS, _ints(900), 6)),
    Attack(
        "rules: three loops",
        _rule("self.l.all(x, self.l.all(y, self.l.all(z, x + y + z >= 0)))", _object(l=_list(_INT, 100)), _ints(100)),
    ),
    Attack("rules: map of map", _rule("self.l.map(x, self.l.map(y, x + y)).size() > 0", _INTS, _ints(900))),
    Attack("rules: lists added", _rule("self.l.map(x, self.l + self.l).size() > 0", _INTS, _ints(900))),
    Attack(
        "rules: texts added", _rule("(self.s + self.s + self.s + self.s).size() > 0", _LONG, _text("x" * 1_000_000))
    ),
    Attack("rules: matches 1 MB", _rule("self.s.matches('^(a+)+$')", _LONG, _text("a" * 500_000 + "!"))),
    Attack(
        "rules: matches, many",
        _rule(
            "self.l.all(x, x.matches('^(([a-z])+.)+[A-Z]([a-z])+$') || true)",
            _object(l=_list(_WORD, 5000)),
            _words(5000),
        ),
    ),
    Attack("rules: find all", _rule("self.s.findAll('a').size() > 0", _SHORT, _text("a" * 60_000))),
    Attack("rules: split", _rule("self.s.split('').size() > 0", _SHORT, _text("a" * 60_000))),
    Attack(
        "rules: split and join",
        _rule("self.s.split('').map(c, c + c).join('-').size() > 0", _SHORT, _text("a" * 60_000)),
    ),
    Attack(
        "rules: replace",
        _rule(
            "self.s.replace('a', 'aaaaaaaaaaaaaaaaaaaa').replace('a', 'aaaaaaaaaaaaa').size() > 0",
            _SHORT,
            _text("a" * 60_000),
        ),
    ),
    Attack(
        "rules: replace grows",
        _rule(
            "self.s.replace('', self.s).size() > 0",
            _object(s={"type": "string", "maxLength": 3000}),
            _text("a" * 3_000),
        ),
    ),
    Attack(
        "rules: sort of lists",
        _rule(
            "self.l.isSorted() && self.l.sum() > 0 && self.l.max() > self.l.min()",
            _object(l=_list(_INT, 50_000)),
            _ints(50_000),
        ),
    ),
    Attack("rules: index of", _rule("self.l.all(x, self.l.indexOf(x) >= 0)", _INTS, _ints(900))),
    Attack("rules: sets", _rule("sets.equivalent(self.l, self.l) && sets.contains(self.l, self.l)", _INTS, _ints(900))),
    Attack("rules: sets of texts", _rule("sets.equivalent(self.l, self.l)", _WORDS, _words(700))),
    Attack(
        "rules: last index of",
        _rule(
            "self.s.lastIndexOf('b') == -1 && self.s.indexOf('aaaaaaaaaaaaaaaaab') == -1", _SHORT, _text("a" * 60_000)
        ),
    ),
    Attack(
        "rules: format",
        _rule("'%s%s%s%s'.format([self.s, self.s, self.s, self.s]).size() > 0", _SHORT, _text("a" * 60_000)),
    ),
    Attack(
        "rules: quantity", _rule("quantity(self.s).isGreaterThan(quantity('1'))", _SHORT, _text("9" * 50_000 + "e9"))
    ),
    Attack(
        "rules: quantity exponent",
        _rule("quantity(self.s).add(quantity('1')).isGreaterThan(quantity('1'))", _SHORT, _text("1e999999999")),
    ),
    Attack("rules: semver", _rule("semver(self.s).major() >= 0", _SHORT, _text("1.2.3-" + "a.1-" * 14_000 + "a"))),
    Attack("rules: url", _rule("url(self.s).getQuery().size() >= 0", _SHORT, _text("http://a/?" + "a=1&" * 14_000))),
    Attack("rules: ip and cidr", _rule("isIP(self.s) || isCIDR(self.s) || true", _SHORT, _text(":" * 59_000))),
    Attack("rules: int of text", _rule("int(self.s) > 0 || double(self.s) > 0.0", _SHORT, _text("9" * 59_000))),
    Attack("rules: duration", _rule("duration(self.s) > duration('1s')", _SHORT, _text("1h" * 29_000))),
    Attack(
        "rules: upper and lower",
        _rule("self.s.upperAscii().lowerAscii().upperAscii().trim().size() > 0", _LONG, _text("x" * 1_000_000)),
    ),
    Attack("rules: base64", _rule("base64.encode(bytes(self.s)).size() > 0", _LONG, _text("x" * 1_000_000))),
    Attack(
        "rules: maps equal",
        _rule(
            "self.m == self.m && self.m.all(k, self.m[k] == k)",
            _object(m={"type": "object", "maxProperties": 2000, "additionalProperties": _WORD}),
            lambda: {"m": {f"k{n}": f"k{n}" for n in range(2_000)}},
        ),
    ),
    Attack("rules: failing messages", _rule("self.l.all(x, self.l.exists(y, y == x + 5000))", _INTS, _ints(900), 9)),
    Attack(
        "rules: 50 kinds of each item",
        _rule(
            "self.l.all(x, x.all(y, y > -1))",
            _object(l=_list(_list(_INT, 100), 100)),
            lambda: {"l": [list(range(100))] * 100},
            50,
        ),
    ),
    Attack("rules: 300 rules defined", _defined("self.l.all(x, x.startsWith('a'))", _WORDS, 300)),
    Attack("rules: deep expression", _defined("(" * 200 + "1 == 1" + ")" * 200, _WORDS)),
    Attack("rules: long expression", _defined(" && ".join(["self.l.size() >= 0"] * 5_000), _WORDS)),
    Attack("rules: expression of 1 MB", _defined("'" + "x" * 1_000_000 + "' == 'x'", _WORDS)),
    Attack(
        "rules: nested macros", _defined("".join(f"self.l.all(x{n}, " for n in range(30)) + "true" + ")" * 30, _WORDS)
    ),
    Attack("rules: not an expression", _defined("((((((((((" * 10_000, _WORDS)),
    Attack("rules: list literal", _defined("[" + "1," * 50_000 + "1].size() > 0", _WORDS)),
)
