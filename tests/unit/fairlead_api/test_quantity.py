"""Quantities; the table is recorded from k8s.io/apimachinery v0.36.3."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_api import quantity
from fairlead_api.quantity import Quantity, QuantityError, canonical, parse

NUMBERS = st.from_regex(r"[+-]?[0-9]{1,24}(\.[0-9]{1,12})?", fullmatch=True)
SUFFIXES = st.sampled_from(["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ei", "e3", "E-4"])
QUANTITIES = st.builds(lambda number, suffix: number + suffix, NUMBERS, SUFFIXES)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("0", "0"), ("00", "0"), ("-0", "0"), ("1000m", "1"), ("1500m", "1500m"), ("0.5", "500m"), ("1.5", "1500m"),
        ("1.500", "1.500"), ("01", "01"), ("+1", "+1"), ("1024Mi", "1Gi"), ("1025Ki", "1025Ki"), ("1.5Gi", "1536Mi"),
        ("0.5Ki", "512"), ("1000k", "1M"), ("12e6", "12e6"), ("1e4", "10e3"), ("100000", "100k"), ("1.1Ki", "1126400m"),
        ("0.0000000001", "1n"), ("99999999999999999999Ei", "9223372036854775807"), ("1.", "1."), ("8Gi", "8Gi"),
        ("1e1000000", "10e999999"), ("1e-1000000", "1e-9"),
    ],
)  # fmt: skip
def test_the_canonical_text_is_gos(text: str, shown: str) -> None:
    assert canonical(text) == shown


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", quantity.WRONG_FORMAT),
        ("aoeu", quantity.WRONG_FORMAT),
        ("1.1.M", quantity.WRONG_FORMAT),
        ("1 ", quantity.WRONG_FORMAT),
        ("1i", quantity.WRONG_SUFFIX),
        ("0.1mi", quantity.WRONG_SUFFIX),
        ("1e", quantity.WRONG_SUFFIX),
        ("+Ei", quantity.WRONG_NUMBER),
        ("1" * 5000, quantity.WRONG_NUMBER),
        ("0" * 1_000_000 + "!", quantity.WRONG_FORMAT),
    ],
)
def test_what_is_no_quantity_has_gos_message(text: str, message: str) -> None:
    with pytest.raises(QuantityError) as caught:
        parse(text)
    assert str(caught.value) == message


@given(QUANTITIES)
def test_the_canonical_text_keeps_the_value(text: str) -> None:
    assert parse(canonical(text)) == parse(text)


@given(QUANTITIES, QUANTITIES, QUANTITIES)
def test_addition_and_order_are_those_of_numbers(one: str, two: str, three: str) -> None:
    a, b, c = parse(one), parse(two), parse(three)
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert (a + b) - b == a
    assert (a <= b) == (a + c <= b + c)
    assert (hash(a) == hash(b)) or a != b


def test_numbers_of_json_are_taken_as_written() -> None:
    assert parse(2) == Quantity(2)
    assert canonical(0.5) == "500m"


def test_rounding_up_goes_away_from_zero() -> None:
    assert parse("1500m").rounded_up() == 2
    assert parse("-1500m").rounded_up() == -2
    assert parse("1500m").rounded_up(-3) == 1500
    assert parse("1n").rounded_up() == 1


def test_a_huge_exponent_costs_nothing_to_compare() -> None:
    assert parse("1e1000000") > parse("9e999999")
    with pytest.raises(QuantityError):
        parse("1e1000000").rounded_up()


def test_endless_numbers_are_read() -> None:
    """Smaller than a billionth is rounded up; longer than any number is none."""
    assert str(parse("0." + "0" * 300_000 + "1")) == str(parse("0.00000000001"))
    with pytest.raises(QuantityError):
        parse("9" * 300_000 + "!")
