"""What words of the user mean as workspaces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_api import names
from fairlead_cli import places
from fairlead_cli.failure import Failure
from fairlead_cli.places import Place


@pytest.mark.parametrize(
    ("server", "place"),
    [
        ("https://h:6443/clusters/root:a", Place("https://h:6443", "root:a")),
        ("https://h:6443/proxy/clusters/root/apis", Place("https://h:6443/proxy", "root")),
        ("https://h:6443", None),
        ("https://h:6443/clusters/", None),
    ],
)
def test_place_of_a_url(server: str, place: Place | None) -> None:
    """The text after /clusters/ up to the next slash is the workspace; what stands before it is kept."""
    assert places.find_place(server) == place


def test_a_url_without_workspace_is_refused_in_kcps_words() -> None:
    """A context that points to no workspace is named with its URL."""
    with pytest.raises(Failure, match='current URL "https://h" does not point to a workspace'):
        places.place_of("https://h")


@pytest.mark.parametrize(
    ("said", "means", "notes"),
    [
        ("", "~", 1),
        ("/home/me", "~", 0),
        ("/home/me/a", "~:a", 0),
        ("root", ":root", 1),
        ("root:a", ":root:a", 1),
        ("rooted", "rooted", 0),
        ("a/b", "a:b", 0),
        ("-", "-", 0),
    ],
)
def test_words(said: str, means: str, notes: int) -> None:
    """Words are read as kcp reads them, with a note where it gives one."""
    target, noted = places.spoken(said, "/home/me")
    assert (target, len(noted)) == (means, notes)


@pytest.mark.parametrize(
    ("current", "target", "path"),
    [
        ("root:a", "b", "root:a:b"),
        ("root:a", "b:c", "root:a:b:c"),
        ("root:a:b", "..", "root:a"),
        ("root:a:b", "..:..", "root"),
        ("root:a:b", "..:c", "root:a:c"),
        ("root:a", ".:b", "root:a:b"),
        ("root:a", ":root:x:..:y", "root:y"),
        ("user:ann:x", "..", "user:ann"),
    ],
)
def test_paths(current: str, target: str, path: str) -> None:
    """Relative and absolute targets, with dots in any place."""
    assert places.absolute(current, target, target) == path


@pytest.mark.parametrize("target", ["..", "..:..", ":root:.."])
def test_nothing_lies_above_root(target: str) -> None:
    """Going up from root is refused."""
    with pytest.raises(Failure, match="cannot go up from root"):
        places.absolute("root", target, target)


@pytest.mark.parametrize("target", ["A", "a::b", ":", "*", "a%2f"])
def test_what_is_no_path_is_refused(target: str) -> None:
    """Words that cannot be a path are named as the user wrote them."""
    with pytest.raises(Failure, match="invalid workspace path: said"):
        places.absolute("root", target, "said")


_names = st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True)


@given(st.lists(_names, min_size=1, max_size=4), _names)
def test_down_and_up_again_is_where_one_was(path: list[str], name: str) -> None:
    """Entering a workspace and leaving it with .. changes nothing."""
    current = names.join("root", *path)
    assert places.absolute(current, f"{name}:..", "") == current
    assert places.absolute(places.absolute(current, name, ""), "..", "") == current
    assert places.ancestors(current)[-1] == places.top(current) == "root"
