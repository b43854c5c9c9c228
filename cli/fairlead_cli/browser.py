"""``kubectl ws tree -i``: a terminal, its keys, and what has to be asked of the server to show the tree."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fairlead_api import JsonObject, names
from fairlead_api.errors import Forbidden, NotFound
from fairlead_cli import growing, places
from fairlead_cli.browsing import Browser, Node
from fairlead_cli.failure import USAGE, Failure
from fairlead_cli.options import Server
from fairlead_cli.session import Session, connected

if TYPE_CHECKING:
    from fairlead_machinery.client import Client, Gvr

_KEYS = {
    **{b"\x1b[A": "up", b"\x1b[B": "down", b"\x1b[C": "right", b"\x1b[D": "left"},
    **{b"\x1bOA": "up", b"\x1bOB": "down", b"\x1bOC": "right", b"\x1bOD": "left"},
    **{b"\r": "enter", b"\n": "enter", b" ": "space", b"\x7f": "backspace", b"\x08": "backspace"},
    **{b"\x03": "ctrl+c", b"\x1b": "esc"},
}
_ENTER, _LEAVE, _HOME = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l", "\x1b[H\x1b[J"


async def browse(server: Server, *, full: bool) -> str:
    """
    Let the user walk through the tree, from its top, with the current workspace in view.

    Returns:
        The path of the workspace to switch to; "" when none was chosen.

    Raises:
        Failure: There is no terminal.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Failure("there is no terminal to walk in", fix="leave out --interactive", code=USAGE)
    async with connected(server) as session:
        browser = await _begin(session, full=full)
        with _screen() as keys:
            while not browser.is_over:
                while wanted := browser.wanted():
                    await asyncio.gather(*(_learn(session.top, node, full=full) for node in wanted))
                size = shutil.get_terminal_size()
                sys.stdout.write(_HOME + "\r\n".join(browser.lines(size.columns, size.lines)))
                sys.stdout.flush()
                browser.press(await keys.get())
    return browser.chosen.path if browser.chosen else ""


async def _begin(session: Session, *, full: bool) -> Browser:
    """Return the tree, opened down to the current workspace."""
    current = session.place.path
    root = Node(places.top(current), places.top(current), is_open=True)
    at = root
    for path in reversed(places.ancestors(current)[:-1]):
        await _learn(session.top, at, full=full)
        found = next((one for one in at.below or () if one.path == path), None)
        if found is None:
            break
        at.is_open, at = True, found
    return Browser(root, current, at)


async def _learn(top: Client, node: Node, *, full: bool) -> None:
    """Look at what is in a workspace: workspaces, APIs offered and bound."""
    from fairlead_cli.kinds import API_BINDINGS, API_EXPORTS  # noqa: PLC0415 - only to talk

    below, exports, bindings = await asyncio.gather(
        growing.below(top, node.path), _list(top, node.path, API_EXPORTS), _list(top, node.path, API_BINDINGS)
    )
    node.apis = {
        "APIExports": [one["metadata"]["name"] for one in exports],
        "APIBindings": [_bound(one) for one in bindings],
    }
    if node.below is None:
        node.below = [_node(node, one, full=full) for one in below]
    node.is_open = node.is_open and bool(node.below)


async def _list(top: Client, path: str, gvr: Gvr) -> list[JsonObject]:
    try:
        return (await top.at(path).list(gvr))[0]
    except (NotFound, Forbidden):
        return []


def _node(parent: Node, workspace: JsonObject, *, full: bool) -> Node:
    name, spec = workspace["metadata"]["name"], workspace["spec"]
    path = names.join(parent.path, name)
    return Node(path if full else name, path, places.type_text(spec.get("type")), str(spec.get("cluster") or ""))


def _bound(binding: JsonObject) -> str:
    export = ((binding.get("spec") or {}).get("reference") or {}).get("export") or {}
    return f"{binding['metadata']['name']} → {names.join(str(export.get('path') or ''), str(export.get('name') or ''))}"


@contextmanager
def _screen() -> Iterator[asyncio.Queue[str]]:
    """Take the terminal over; give the keys that are pressed, and give the terminal back as it was."""
    keys, source = asyncio.Queue[str](), sys.stdin.fileno()
    before = termios.tcgetattr(source)
    loop = asyncio.get_running_loop()

    def read() -> None:
        pressed = os.read(source, 64)
        # An arrow comes as one read; several letters typed ahead are several keys.
        parts = [pressed] if pressed in _KEYS else [bytes([one]) for one in pressed]
        for one in parts or [b"\x03"]:  # the terminal is gone
            keys.put_nowait(_KEYS.get(one, one.decode("ascii", "replace")))

    tty.setraw(source)
    sys.stdout.write(_ENTER)
    loop.add_reader(source, read)
    try:
        yield keys
    finally:
        loop.remove_reader(source)
        sys.stdout.write(_LEAVE)
        sys.stdout.flush()
        termios.tcsetattr(source, termios.TCSADRAIN, before)
