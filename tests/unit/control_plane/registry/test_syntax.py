"""What is said of bytes that are no JSON; the words were taken from Go's own decoder."""

from __future__ import annotations

import orjson
import pytest

from fairlead_control_plane.registry.syntax import END, why


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("apiV", "invalid character 'a' looking for beginning of value"),
        ("{", END),
        ("{a", "invalid character 'a' looking for beginning of object key string"),
        ('{"a" 1', "invalid character '1' after object key"),
        ('{"a":}', "invalid character '}' looking for beginning of value"),
        ('{"a":1 x', "invalid character 'x' after object key:value pair"),
        ('{"a":1,}', "invalid character '}' looking for beginning of object key string"),
        ('{"a":1, \n}', "invalid character '}' looking for beginning of object key string"),
        ("[1 2", "invalid character '2' after array element"),
        ("[1,]", "invalid character ']' looking for beginning of value"),
        ("1 2", "invalid character '2' after top-level value"),
        ("nulx", "invalid character 'x' in literal null (expecting 'l')"),
        ('{"a":tru}', "invalid character '}' in literal true (expecting 'e')"),
        ("01", "invalid character '1' after top-level value"),
        ("[01]", "invalid character '1' after array element"),
        ('{"a":-01}', "invalid character '1' after object key:value pair"),
        ("-x", "invalid character 'x' in numeric literal"),
        ("1.x", "invalid character 'x' after decimal point in numeric literal"),
        ("1ex", "invalid character 'x' in exponent of numeric literal"),
        ('"a\x01"', r"invalid character '\x01' in string literal"),
        ('"a\n"', r"invalid character '\n' in string literal"),
        (r'"\x"', "invalid character 'x' in string escape code"),
        (r'"\u12x"', r"invalid character 'x' in \u hexadecimal character escape"),
        ('"abc', END),
        ("", END),
        (" ", END),
        ("{'a':1}", r"invalid character '\'' looking for beginning of object key string"),
        ('{"é":x}', "invalid character 'x' looking for beginning of value"),
        ('{"a":é}', "invalid character 'Ã' looking for beginning of value"),
    ],
)
def test_mistakes_are_told_in_gos_words(text: str, said: str) -> None:
    """Each mistake by its place and the byte that fits nowhere."""
    with pytest.raises(orjson.JSONDecodeError) as caught:
        orjson.loads(text.encode())
    assert why(caught.value) == said
