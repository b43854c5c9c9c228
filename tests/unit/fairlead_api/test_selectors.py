"""Label and field selectors; messages recorded from k8s.io/apimachinery v0.36.3."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_api import selectors
from fairlead_api.selectors import (
    EVERYTHING,
    NOTHING,
    FieldRequirement,
    SelectorError,
    from_map,
    from_object,
    parse_fields,
    parse_labels,
)

KEYS = st.sampled_from(["a", "b", "example.com/c", "in"])
VALUES = st.sampled_from(["", "x", "y", "1", "notin"])
LABELS = st.dictionaries(KEYS, VALUES)
TERMS = st.one_of(
    KEYS,
    KEYS.map(lambda key: f"!{key}"),
    st.builds(lambda key, sign, value: key + sign + value, KEYS, st.sampled_from(["=", "==", "!="]), VALUES),
    st.builds(
        lambda key, word, values: f"{key} {word} ({','.join(values)})",
        KEYS,
        st.sampled_from(["in", "notin"]),
        st.lists(VALUES, min_size=1, max_size=3),
    ),
)


@given(st.lists(TERMS, max_size=4), LABELS)
def test_a_selector_survives_its_text(terms: list[str], labels: dict[str, str]) -> None:
    selector = parse_labels(",".join(terms))
    again = parse_labels(str(selector))
    assert str(again) == str(selector)
    assert again.matches(labels) == selector.matches(labels)


@given(TERMS, TERMS, LABELS)
def test_terms_are_anded(one: str, two: str, labels: dict[str, str]) -> None:
    both = parse_labels(f"{one},{two}").matches(labels)
    assert both == (parse_labels(one).matches(labels) and parse_labels(two).matches(labels))


@pytest.mark.parametrize(
    ("text", "labels", "matches"),
    [
        ("a=b", {"a": "b"}, True),
        ("a!=b", {}, True),
        ("a in (b,c)", {"a": "c"}, True),
        ("a notin (b)", {}, True),
        ("a in (,b)", {"a": ""}, True),
        ("a", {"a": ""}, True),
        ("!a", {"a": ""}, False),
        ("a>1", {"a": "2"}, True),
        ("a<1", {"a": "x"}, False),
        ("a=", {"a": ""}, True),
        ("", {}, True),
    ],
)
def test_matching(text: str, labels: dict[str, str], matches: bool) -> None:
    assert parse_labels(text).matches(labels) is matches


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a=b,", "found '', expected: identifier after ','"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        (",a", "found ',', expected: !, identifier, or 'end of string'"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        ("a=b c", "found 'c', expected: ',' or 'end of string'"),
    ],
)
def test_a_wrong_text_has_kubernetes_message(text: str, message: str) -> None:
    with pytest.raises(SelectorError) as caught:
        parse_labels(text)
    assert str(caught.value) == message


def test_a_wrong_value_names_the_rule() -> None:
    with pytest.raises(SelectorError) as caught:
        parse_labels("a>x")
    assert str(caught.value) == (
        "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be "
        "an integer"
    )


def test_absent_selects_nothing_and_empty_everything() -> None:
    assert from_object(None) is NOTHING
    assert not NOTHING.matches({})
    assert not NOTHING.is_everything
    assert from_object({}) == EVERYTHING
    assert from_object({}).matches(None)


def test_label_selector_objects() -> None:
    selector = from_object(
        {"matchLabels": {"b": "1"}, "matchExpressions": [{"key": "a", "operator": "In", "values": ["y", "x"]}]}
    )
    assert str(selector) == "a in (x,y),b=1"
    assert selector.exact_value("b") == "1"
    assert selector.exact_value("a") is None
    with pytest.raises(SelectorError, match='"Near" is not a valid label selector operator'):
        from_object({"matchExpressions": [{"key": "a", "operator": "Near"}]})
    assert from_map({"a": "b"}).matches({"a": "b", "c": "d"})


@given(st.text(max_size=10), st.booleans())
def test_field_requirements_survive_their_text(value: str, equal: bool) -> None:
    requirement = FieldRequirement("metadata.name", value, equal)
    assert parse_fields(str(requirement)) == (requirement,)


def test_field_selectors() -> None:
    assert parse_fields("") == ()
    assert parse_fields("a==1,b!=2") == (FieldRequirement("a", "1"), FieldRequirement("b", "2", equal=False))
    with pytest.raises(SelectorError, match=r"invalid selector: 'a,b=1'; can't understand 'a'"):
        parse_fields("a,b=1")
    with pytest.raises(SelectorError, match="unescaped character in value: 61"):
        parse_fields("a=b=c")


@pytest.mark.parametrize("count", [1_000, 2_000])
def test_a_run_of_signs_is_looked_at_once(count: int) -> None:
    """Each token takes no more than the longest sign and one, however long the run is."""
    seen = 0

    class Watched:
        def match(self, text: str, at: int) -> object:
            nonlocal seen
            found = lexeme.match(text, at)
            seen += found.end() - found.start() if found else 0
            return found

    lexeme = selectors._LEXEME
    parser = selectors._Parser("a" + "=" * count)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selectors, "_LEXEME", Watched())
        parser._scan()
    assert [kind for kind, _ in parser.tokens] == ["id", *["=="] * (count // 2), "end"]
    assert seen <= 2 * count


def test_values_are_looked_up() -> None:
    """Thousands of values against thousands of objects are no product."""
    one = selectors.requirement("a", selectors.IN, ["x", "y"])
    assert (one.matches({"a": "y"}), one.matches({"a": "z"}), one.matches({})) == (True, False, False)
    assert one._all == {"x", "y"}
    assert one == selectors.requirement("a", selectors.IN, ["x", "y"])
