"""How the demo speaks to somebody who sees Fairlead for the first time."""

from __future__ import annotations

import os
import sys
import time

import click

_INDENT = "   "


class Telling:
    """
    What the demo says: numbered steps with their reason, the command one would type, and what was seen.

    Plain text unless standard output is a terminal and ``NO_COLOR`` is not set.
    """

    def __init__(self) -> None:
        self._fancy = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self._number = 0
        self._began_s = time.monotonic()

    def step(self, title: str, why: str) -> None:
        """Begin a step."""
        self._number += 1
        self._began_s = time.monotonic()
        click.echo(f"\n{self._styled(f'{self._number}. {title}', bold=True)}\n{_INDENT}{why}")

    def command(self, text: str) -> None:
        """Show the command one would type."""
        click.echo(f"{_INDENT}{self._styled(f'$ {text}', dim=True)}")

    def output(self, text: str) -> None:
        """Show what a command printed."""
        for line in text.splitlines():
            click.echo(f"{_INDENT}  {line}".rstrip())

    def seen(self, text: str) -> None:
        """Say what was asserted."""
        mark = self._styled("✓", fg="green") if self._fancy else "ok:"
        click.echo(f"{_INDENT}{mark} {text} ({time.monotonic() - self._began_s:.1f} s)")

    def say(self, text: str = "") -> None:
        """Say something."""
        click.echo(text)

    def _styled(self, text: str, *, bold: bool = False, dim: bool = False, fg: str = "") -> str:
        return click.style(text, bold=bold or None, dim=dim or None, fg=fg or None) if self._fancy else text
