"""What commands print: results on standard output in the form asked for, talk on standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import click

from fairlead_api import JsonObject

Row = Sequence[str]


def document(body: object, output: str, *, sort: bool = False) -> str:
    """Return a JSON or YAML text, without trailing newline; ``sort`` orders keys as Kubernetes' tools do."""
    if output == "json":
        import json  # noqa: PLC0415 - tables do without

        return json.dumps(body, indent=4, ensure_ascii=False, sort_keys=sort)
    import yaml  # noqa: PLC0415 - 20 ms

    return yaml.safe_dump(body, sort_keys=sort, allow_unicode=True).rstrip("\n")


def list_object(items: Sequence[JsonObject]) -> JsonObject:
    """Return a List as kubectl prints it."""
    return {"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": list(items)}


def table(header: Row, rows: Sequence[Row]) -> str:
    """Return aligned columns, three blanks apart, as kubectl prints them."""
    widths = [max(len(row[at]) for row in [header, *rows]) for at in range(len(header))]
    lines = ("   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [header, *rows])
    return "\n".join(line.rstrip() for line in lines)


def age(timestamp: str, now: datetime | None = None) -> str:
    """Return how long ago an RFC 3339 time was: ``42s``, ``5m``, ``3h``, ``12d``; ``<unknown>`` without one."""
    if not timestamp:
        return "<unknown>"
    seconds = int(((now or datetime.now(UTC)) - datetime.fromisoformat(timestamp)).total_seconds())
    for length, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * length or (unit == "d" and seconds >= length):
            return f"{seconds // length}{unit}"
    return f"{max(seconds, 0)}s"


class Steps:
    """
    Progress for people, on standard error.

    On a terminal steps are marked ✓ and ✗ and a live line is rewritten; elsewhere, or with NO_COLOR or a dumb terminal,
    each is a plain line, and a live line is printed when it changes.
    """

    def __init__(self) -> None:
        dumb = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        self._fancy = sys.stderr.isatty() and not dumb
        self._live = ""

    def done(self, text: str) -> None:
        """Say that something is done."""
        self._line(("✓ " if self._fancy else "") + text)

    def failed(self, text: str) -> None:
        """Say that something did not work, or has to be looked at."""
        self._line(("✗ " if self._fancy else "! ") + text)

    def note(self, text: str) -> None:
        """Say something."""
        self._line(text)

    def live(self, text: str) -> None:
        """Say how far it is; replaces what was said so before."""
        if text == self._live:
            return
        if self._fancy:
            click.echo(f"\r\x1b[2K▸ {text}", err=True, nl=False)
        else:
            click.echo(text, err=True)
        self._live = text

    def _line(self, text: str) -> None:
        if self._live and self._fancy:
            click.echo("\r\x1b[2K", err=True, nl=False)
        self._live = ""
        click.echo(text, err=True)
