"""The first lines of an answer as bytes; no value can add a line of its own."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from http import HTTPStatus
from itertools import accumulate

from fairlead_machinery.web import Response

_NO_CACHE = "Cache-Control: no-cache, private\r\n"
NO_CACHE_LINE = _NO_CACHE.encode()
_WARNINGS_CHARACTERS, _WARNING_CHARACTERS = 4 * 1024, 256
"""Of all warnings of an answer, and of each where they are more (k8s.io/apiserver endpoints/filters/warning.go)."""
_LINES: dict[tuple[int, str], bytes] = {}


def status_line(code: int, content_type: str) -> bytes:
    """Return status line and the headers every answer has; made once per (code, type), of which there are few."""
    line = _LINES.get((code, content_type))
    if line is None:
        try:
            phrase = HTTPStatus(code).phrase
        except ValueError:
            phrase = "Unknown"
        text = f"HTTP/1.1 {code} {phrase}\r\n"
        if content_type:
            text += f"Content-Type: {_one_line(content_type)}\r\n"
        line = text.encode()
        if len(_LINES) < 256:
            _LINES[code, content_type] = line
    return line


def extra_headers(response: Response) -> bytes:
    """Return an answer's own headers and warnings, each as one line whatever its text holds."""
    lines = [] if "Cache-Control" in response.headers else [_NO_CACHE]
    lines += [f"{_one_line(name)}: {_one_line(value)}\r\n" for name, value in response.headers.items()]
    for warning in _bounded(response.warnings):
        text = _one_line(warning).replace("\\", "\\\\").replace('"', '\\"')
        lines.append(f'Warning: 299 - "{text}"\r\n')
    return "".join(lines).encode()


def _bounded(warnings: Sequence[str]) -> Sequence[str]:
    """Leave out warnings said before; where they are long together, all are shortened and the last left out."""
    kept = list(dict.fromkeys(warnings))
    lengths = list(accumulate(map(len, kept), initial=0))
    if lengths[-1] <= _WARNINGS_CHARACTERS:
        return kept
    over = bisect_right(lengths, _WARNINGS_CHARACTERS)
    short = [warning[:_WARNING_CHARACTERS] for warning in kept]
    written = accumulate(map(len, short))
    return [
        warning
        for index, (warning, length) in enumerate(zip(short, written, strict=True))
        if index < over or length - len(warning) < _WARNINGS_CHARACTERS
    ]


def _one_line(text: str) -> str:
    """Replace control characters, so that no header can be smuggled into an answer."""
    return text if text.isprintable() else "".join(char if char.isprintable() else " " for char in text)
