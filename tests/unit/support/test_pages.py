"""Commands of how-to pages: which are found, and that the terminal is one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.pages import HOW_TO, ROOT, Block, CommandFailed, PageUnclear, Terminal, blocks

PAGE = """# Page
```sh
A=1
```
<!-- not run: needs an engine -->

```sh
docker build .
```
Text between takes the reason back.
```yaml
not: commands
```
```sh
echo "$A example.com"
```
"""


def _page(folder: Path, text: str) -> Path:
    page = folder / "page.md"
    page.write_text(text)
    return page


def test_blocks(tmp_path: Path) -> None:
    """Only shell fences are commands; a reason belongs to the fence right after it."""
    assert blocks(_page(tmp_path, PAGE)) == [
        Block("page.md", 2, "A=1\n"),
        Block("page.md", 7, "docker build .\n", "needs an engine"),
        Block("page.md", 14, 'echo "$A example.com"\n'),
    ]


def test_reason_is_taken_back_by_text(tmp_path: Path) -> None:
    """A reason with text behind it belongs to nothing."""
    (block,) = blocks(_page(tmp_path, "<!-- not run: x -->\ntext\n```sh\ntrue\n```\n"))
    assert block.not_run == ""


@pytest.mark.parametrize("text", ["```\nls\n```\n", "```bash\nls\n```\n", "```sh\nls\n"])
def test_unclear_pages(tmp_path: Path, text: str) -> None:
    """A fence that might hold commands that nobody runs is refused."""
    with pytest.raises(PageUnclear):
        blocks(_page(tmp_path, text))


def test_one_terminal(tmp_path: Path) -> None:
    """Variables live on, examples are replaced, and what was replaced is known."""
    first, _, last = blocks(_page(tmp_path, PAGE))
    terminal = Terminal(tmp_path, {}, {"example.com": "real.org", "other": "never"})
    assert terminal.run(first) == ""
    assert terminal.run(last) == "1 real.org\n"
    assert terminal.used == {"example.com"}


@pytest.mark.parametrize("text", ["false\ntrue\n", "false | true\n", 'echo "$UNKNOWN"\n'])
def test_failures_are_seen(tmp_path: Path, text: str) -> None:
    """A failing command ends the block wherever it stands; the message says where the page has it."""
    with pytest.raises(CommandFailed, match=r"page\.md:3: exit"):
        Terminal(tmp_path, {}).run(Block("page.md", 3, text))


TYPED = {
    "check.md": "integration/check/test_pages.py",
    "install-with-helm.md": "integration/charts/test_pages.py",
    "join-a-cluster.md": "integration/cli/test_life_pages.py",
    "recover-an-agent.md": "integration/cli/test_life_pages.py",
    "remove-a-cluster.md": "integration/cli/test_life_pages.py",
    "upgrade-an-agent.md": "integration/cli/test_life_pages.py",
}
"""Pages and the tests that type them in, all blocks that have no reason not to be."""


@pytest.mark.parametrize("page", sorted(HOW_TO.glob("*.md")), ids=lambda page: page.stem)
def test_no_block_of_a_page_escapes(page: Path) -> None:
    """Each block is typed in by a test, or says why not; a reason that names a test names one that is there."""
    found = blocks(page)
    assert found, "a how-to page has commands"
    if any(not block.not_run for block in found):
        assert f'"{page.stem}' in (ROOT / "tests" / TYPED[page.name]).read_text()
    for named in (named for block in found for named in re.findall(r"tests/[\w/.]+", block.not_run)):
        assert (ROOT / named.rstrip(".")).exists(), f"{page.name}: {named}"
