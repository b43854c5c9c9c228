from __future__ import annotations

import pytest

from fairlead_control_plane.kinds.jsonpath import PathError, compiled, find

_OBJECT = {"a": {"b.c": 1, "list": [{"n": "x", "v": 1}, {"n": "y", "v": 2}]}, "zero": 0, "nothing": None}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".zero", [0]), (".nothing", []), (".a.missing", []), (r".a.b\.c", [1]), (".a['b.c']", [1]),
        (r".a['b\.c']", [1]), (".a.list[0].n", ["x"]), (".a.list[-1].n", ["y"]), (".a.list[5]", []),
        (".a.list[*].v", [1, 2]), (".a.list[0:1].v", [1]), ('.a.list[?(@.n=="y")].v', [2]),
        (".a.list[?(@.v>1)].n", ["y"]), ("{.zero}", [0]), ("zero", [0]),
    ],
)  # fmt: skip
def test_paths_find_their_values(path: str, found: list[object]) -> None:
    """All forms that columns use are read; absent and null are not found."""
    assert find(path, _OBJECT) == found


def test_an_unreadable_path_is_refused() -> None:
    """A path outside the subset is an error, not an empty result."""
    with pytest.raises(PathError):
        find(".a[", {})


@pytest.mark.parametrize("path", [".a[?(@.b==%s]", ".a[%s", ".a[?(@.b%s", ".a[1%s", ".a[1:%s"])
def test_spaces_are_never_tried_twice(path: str) -> None:
    """All ways to share out thirty thousand spaces would be too many by far to end here."""
    with pytest.raises(PathError):
        compiled(path % (" " * 30_000))


def test_spaces_around_parts_of_a_path() -> None:
    """They mean nothing."""
    value = {"a": [{"b": 1, "c": "x"}, {"b": 2, "c": "y z"}]}
    assert find(".a[?( @.b  ==  2  )].c", value) == ["y z"]
    assert find(".a[ 0 : 1 ].c", value) == ["x"]
    assert find(".a[ -1 ][ 'b' ]", value) == [2]
    assert find(".a[?(@.b )].b", value) == [1, 2]
