"""
Regular expressions of users, in linear time.

RE2 is the engine Kubernetes' language uses too; its complaints are put into that language's words.

Source: Go regexp/syntax (ErrorCode).
"""

from __future__ import annotations

from typing import Any

import re2

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False  # the library would print users' mistakes to standard error

_ANY_BYTE = re2.compile(r"(?:^|[^\\])(?:\\\\)*\\C")
"""What RE2 alone takes for any byte; Go refuses it."""
_GO_WORDS = {
    "missing )": "missing closing )",
    "missing ]": "missing closing ]",
    "no argument for repetition operator": "missing argument to repetition operator",
    "bad repetition operator": "invalid nested repetition operator",
    "trailing \\": "trailing backslash at end of expression",
    "invalid repetition size": "invalid repeat count",
    "invalid named capture group": "invalid named capture",
    "invalid perl operator": "invalid or unsupported Perl syntax",
}


class BadPattern(ValueError):
    """A pattern that cannot be compiled; the text is Go's."""


def compile_pattern(pattern: str) -> Any:
    """
    Return the compiled pattern, which has ``search``.

    Raises:
        BadPattern: It is not RE2 syntax.
    """
    if "\\C" in pattern and _ANY_BYTE.search(pattern):
        raise BadPattern("error parsing regexp: invalid escape sequence: `\\C`")
    try:
        return re2.compile(pattern, _OPTIONS)
    except re2.error as error:
        said = error.args[0] if error.args else b""
        text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        code, _, where = text.partition(": ")
        raise BadPattern(f"error parsing regexp: {_GO_WORDS.get(code, code)}: `{where}`") from error
