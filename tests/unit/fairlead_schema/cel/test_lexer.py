"""What the lexer makes of any text; which messages it gives is in ``test_parser``."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fairlead_schema.cel.ast import CompileError
from fairlead_schema.cel.lexer import END, words
from fairlead_schema.cel.libraries import KUBERNETES
from fairlead_schema.cel.parser import parse

PIECES = (
    *("a", "b.c", "1", "2u", "1.5", ".5", "'x'", '"', "'''", 'r"\\"', "b'\\x41'", "`", "`e`", "true", "in", "has("),
    *("==", "=", "&&", "&", "||", "|", "?", ":", "!", "-", "+", "*", ".", ".?", ",", "(", ")", "[", "]", "{", "}"),
    *(" ", "\n", "\t", "// c", "\\", "$", "é", "0x", "1e", "null", "namespace", ".all(x, ", ".map("),
)
TEXTS = st.one_of(st.text(max_size=12), st.lists(st.sampled_from(PIECES), max_size=15).map("".join))


@settings(max_examples=50, deadline=None)
@given(TEXTS)
def test_words_and_what_is_dropped_follow_one_another(text: str) -> None:
    found = words(text)
    spans = [(token.at, token.end) for token in found.tokens[:-1]] + list(found.dropped)
    end = 0
    for first, behind in sorted(spans):
        assert end <= first < behind
        end = behind
    assert found.tokens[-1] == (END, len(text), END)
    assert all(text[token.at : token.end] == token.text for token in found.tokens[:-1])


@settings(max_examples=50, deadline=None)
@given(TEXTS)
@example("1 + " * 400)
@example("$" * 300)
def test_any_text_is_read_or_refused_with_a_reason(text: str) -> None:
    try:
        refused = ""
        parse(text, KUBERNETES)
    except CompileError as error:
        refused = str(error)
        issues = error.issues
    assert not refused or (issues and refused.startswith("ERROR: <input>:"))


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("1.", ["NUM_INT", "."]),
        ("1.e5", ["NUM_INT", ".", "IDENTIFIER"]),
        ("a.5", ["IDENTIFIER", "NUM_FLOAT"]),
        ("0x1Fu", ["NUM_UINT"]),
        ("0xg", ["NUM_INT", "IDENTIFIER"]),
        ("inner in in_", ["IDENTIFIER", "in", "IDENTIFIER"]),
        ("br'a' rb'a'", ["BYTES", "IDENTIFIER", "STRING"]),
        ("''''''''", ["STRING", "STRING"]),
        ("a//b\n/c", ["IDENTIFIER", "/", "IDENTIFIER"]),
    ],
)
def test_the_longest_word_is_taken(text: str, kinds: list[str]) -> None:
    assert [token.kind for token in words(text).tokens[:-1]] == kinds
