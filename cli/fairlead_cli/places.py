"""
Where one is and where one wants to go: server URLs and workspace paths. Pure.

Source: kcp HEAD, ``kubectl ws`` (facts in kcp-core 6.1 and 6.2).
"""

from __future__ import annotations

from dataclasses import dataclass

from fairlead_api import names
from fairlead_cli.failure import Failure

_MARK = "/clusters/"
_ROOT_NOTE = (
    "Note: Using 'root:' to define an absolute path is no longer supported. "
    "Instead, use ':root' to specify an absolute path."
)
_HOME_NOTE = (
    "Note: 'kubectl ws' now matches 'cd' semantics: go to home workspace. "
    "'kubectl ws -' to go back. 'kubectl ws .' to print current workspace."
)


@dataclass(frozen=True, slots=True)
class Place:
    """
    A workspace of a server.

    Attributes:
        front: The URL before ``/clusters/``; a path in it stays in kubeconfigs but is no part of API calls.
        path: Path or logical cluster name of the workspace.
    """

    front: str
    path: str

    @property
    def server(self) -> str:
        """The URL that stands in a kubeconfig."""
        return self.front + _MARK + self.path

    def at(self, path: str) -> Place:
        """Return another workspace of the same server."""
        return Place(self.front, path)


def find_place(server: str) -> Place | None:
    """Return the workspace a server URL points to, or None: text up to the next slash counts."""
    front, mark, rest = server.partition(_MARK)
    path = rest.partition("/")[0]
    return Place(front, path) if mark and path else None


def place_of(server: str) -> Place:
    """
    Return the workspace a server URL points to.

    Raises:
        Failure: It points to none.
    """
    place = find_place(server)
    if place is None:
        raise Failure(
            f'current URL "{server}" does not point to a workspace',
            fix="choose a context that does: kubectl config use-context root",
        )
    return place


def spoken(text: str, home_directory: str) -> tuple[str, list[str]]:
    """
    Return the target that a word of the user means, and notes for standard error.

    The shell turns ``~`` into the home directory; slashes separate as colons do; ``root`` begins an absolute path.
    """
    if home_directory and text.startswith(home_directory):
        text = "~" + text.removeprefix(home_directory)
    text = text.replace("/", ":")
    if text == names.ROOT or text.startswith(names.ROOT + ":"):
        return ":" + text, [_ROOT_NOTE]
    return (text, []) if text else ("~", [_HOME_NOTE])


def absolute(current: str, target: str, said: str) -> str:
    """
    Return the absolute path of a target: ``:a:b``, or relative to the current one, ``.`` and ``..`` resolved.

    Args:
        current: Path of the current workspace.
        target: As :func:`spoken` returned it, without ``~``.
        said: The user's own word, for messages.

    Raises:
        Failure: It leads above the root, or is no path.
    """
    path = "" if target.startswith(":") else current
    for part in target.removeprefix(":").split(":"):
        if part == "..":
            if not names.parent(path):
                raise Failure("cannot go up from root")
            path = names.parent(path)
        elif part != ".":
            path = f"{path}:{part}" if path else part
    if not names.valid_path(path):
        raise Failure(f"invalid workspace path: {said}")
    return path


def top(path: str) -> str:
    """Return the topmost ancestor of a path."""
    return names.split(path)[0] if path else ""


def ancestors(path: str) -> list[str]:
    """Return a path and all above it, nearest first."""
    found = []
    while path:
        found.append(path)
        path = names.parent(path)
    return found


def type_text(reference: object) -> str:
    """Return ``path:name`` of a WorkspaceTypeReference object; "" when there is none."""
    if not isinstance(reference, dict):
        return ""
    return names.join(str(reference.get("path") or ""), str(reference.get("name") or ""))
