"""
The tree of workspaces to walk in with the keyboard: what keys do, and what is shown. Pure; ``browser`` does the rest.

Source: kcp HEAD, ``kubectl ws tree -i``: its keys, and what it tells of a workspace.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

_HELP = "↑/↓: navigate  →/←/Space: expand/collapse  q: quit"
_PROMPT = "Press Enter to switch to this workspace"
_TITLE = "Workspaces"
_LEAST_ROWS = 3


@dataclass(slots=True)
class Node:
    """
    A workspace in the tree.

    Attributes:
        name: As it is shown.
        path: Of the workspace.
        type: ``path:name`` of its type; "" when it is not known.
        cluster: Its logical cluster.
        below: What is in it; None until somebody has looked.
        is_open: What is in it is shown.
        apis: APIs it offers and binds, under their headings; None until somebody has looked.
    """

    name: str
    path: str
    type: str = ""
    cluster: str = ""
    below: list[Node] | None = None
    is_open: bool = False
    apis: dict[str, list[str]] | None = None


@dataclass(slots=True)
class Browser:
    """
    The state of a walk.

    Attributes:
        root: The topmost workspace.
        current: Path of the workspace the user is in.
        at: Where the cursor is.
        chosen: The workspace to switch to; None until Enter was pressed.
        is_over: The walk has ended.
    """

    root: Node
    current: str
    at: Node
    chosen: Node | None = None
    is_over: bool = False
    _first: int = field(default=0)

    def shown(self) -> list[tuple[int, Node]]:
        """Return the nodes that can be seen, with their depth, from top to bottom."""
        return list(_opened(self.root, 0))

    def press(self, key: str) -> None:
        """Do what a key means; unknown ones mean nothing."""
        if key in {"q", "esc", "ctrl+c"}:
            self.is_over = True
        elif key == "enter":
            self.chosen, self.is_over = self.at, True
        elif key in {"up", "k"}:
            self._move(-1)
        elif key in {"down", "j"}:
            self._move(1)
        elif key in {"right", "l"} or (key == "space" and not self.at.is_open):
            self.at.is_open = self.at.below != []
        elif key in {"left", "h", "backspace", "space"}:
            self.at.is_open = False

    def wanted(self) -> list[Node]:
        """Return the nodes of which more has to be known to show the tree: opened or under the cursor."""
        lacking = [node for _, node in self.shown() if node.is_open and node.below is None]
        return lacking if self.at.apis is not None or self.at in lacking else [*lacking, self.at]

    def _move(self, by: int) -> None:
        nodes = [node for _, node in self.shown()]
        place = next(number for number, node in enumerate(nodes) if node is self.at) + by
        if 0 <= place < len(nodes):
            self.at = nodes[place]

    def lines(self, width: int, height: int) -> list[str]:
        """Return the screen, cut to its size."""
        header, details = _header(self.at, width), _details(self.at)
        rows = max(_LEAST_ROWS, height - len(details) - 6)
        nodes = self.shown()
        cursor = next(number for number, (_, node) in enumerate(nodes) if node is self.at)
        self._first = min(max(self._first, cursor - rows + 1), cursor)
        seen = nodes[self._first : self._first + rows]
        tree = [self._line(depth, node) for depth, node in seen]
        if self._first and seen[0][1] is not self.at:
            tree[0] = "  ..."
        if self._first + rows < len(nodes) and seen[-1][1] is not self.at:
            tree[-1] = "  ..."
        screen = [header, "", *tree, *details, "", _HELP, "", _PROMPT]
        return [line[:width] for line in screen[:height]]

    def _line(self, depth: int, node: Node) -> str:
        icon = "  " if node.below == [] else "▼ " if node.is_open else "▶ "
        cursor = "→ " if node is self.at else "  "
        return cursor + "  " * depth + icon + node.name + (" *" if node.path == self.current else "")


def _opened(node: Node, depth: int) -> Iterator[tuple[int, Node]]:
    yield depth, node
    for child in (node.below or ()) if node.is_open else ():
        yield from _opened(child, depth + 1)


def _header(node: Node, width: int) -> str:
    parts = [node.path, node.type, node.cluster and f"cluster:{node.cluster}"]
    parts += [f"{heading}:{len(found)}" for heading, found in (node.apis or {}).items() if found]
    details = " | ".join(part for part in parts if part)
    return _TITLE + details.rjust(max(width - len(_TITLE), len(details) + 2))


def _details(node: Node) -> list[str]:
    lines: list[str] = []
    for heading, found in (node.apis or {}).items():
        if found:
            lines += ["", f"{heading} ({len(found)}):", *(f"  • {one}" for one in found)]
    return lines
