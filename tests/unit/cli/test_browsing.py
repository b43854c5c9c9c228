"""Walking through the tree of workspaces with the keyboard."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fairlead_cli.browsing import Browser, Node


def tree() -> Browser:
    """Return root with two organizations, one of them with three teams, and the cursor on root."""
    teams = [Node(f"t{number}", f"root:a:t{number}", below=[]) for number in range(3)]
    root = Node("root", "root", is_open=True, below=[Node("a", "root:a", below=teams), Node("b", "root:b", below=[])])
    return Browser(root, "root:b", root)


def names(browser: Browser) -> list[str]:
    """Return what is shown."""
    return [node.name for _, node in browser.shown()]


def test_keys_of_kcp() -> None:
    """Arrows and letters move, open and close; space does either."""
    browser = tree()
    for key in ("down", "right", "j"):
        browser.press(key)
    assert (names(browser), browser.at.path) == (["root", "a", "t0", "t1", "t2", "b"], "root:a:t0")
    for key in ("up", "h"):
        browser.press(key)
    assert (names(browser), browser.at.path) == (["root", "a", "b"], "root:a")
    browser.press("space")
    browser.press("space")
    assert names(browser) == ["root", "a", "b"]
    browser.press("enter")
    assert (browser.is_over, browser.chosen) == (True, browser.at)


def test_quitting_chooses_nothing() -> None:
    """Each of kcp's ways out leaves the workspace as it is."""
    for key in ("q", "esc", "ctrl+c"):
        browser = tree()
        browser.press(key)
        assert (browser.is_over, browser.chosen) == (True, None)


def test_what_has_nothing_below_does_not_open() -> None:
    """A leaf stays a leaf; of what nobody has looked into more is wanted once it is opened."""
    browser = tree()
    for key in ("down", "down", "right"):
        browser.press(key)
    assert not browser.at.is_open
    browser.at.below = None
    browser.press("l")
    assert browser.wanted() == [browser.at]


def test_the_screen() -> None:
    """The header tells of the workspace under the cursor, a star marks the current one."""
    browser = tree()
    browser.at.type, browser.at.apis = "root", {"APIExports": ["cowboys"], "APIBindings": []}
    lines = browser.lines(70, 24)
    assert lines[0] == "Workspaces" + "root | root | APIExports:1".rjust(60)
    assert lines[2:5] == ["→ ▼ root", "    ▶ a", "      b *"]
    assert lines[5:8] == ["", "APIExports (1):", "  • cowboys"]


@given(st.lists(st.sampled_from(["up", "down", "left", "right", "space", "x"]), max_size=40), st.integers(8, 14))
def test_the_cursor_is_always_seen(keys: list[str], height: int) -> None:
    """Whatever is pressed, the cursor is on a node that is shown, once, and no line leaves the screen."""
    browser = tree()
    for key in keys:
        browser.press(key)
        lines = browser.lines(40, height)
        assert sum(line.startswith("→ ") for line in lines) == 1
        assert len(lines) <= height
        assert all(len(line) <= 40 for line in lines)
        assert browser.at in [node for _, node in browser.shown()]
