"""Held deletions are shown with their set, and how many are not named."""

from fairlead_cli.approving import held_by, shown


def test_what_is_held() -> None:
    """The set, the examples, and how many more there are."""
    held = {"digest": "abc", "count": 3, "examples": ["configmaps a/b of c", "secrets a/c of c"]}
    target = {"metadata": {"name": "east"}, "status": {"heldDeletions": held}}
    assert shown(held_by(target)) == (
        "Held deletions: 3 (set abc)\n  configmaps a/b of c\n  secrets a/c of c\n  and 1 more"
    )


def test_nothing_is_held() -> None:
    """A SyncTarget without a status, or that holds nothing."""
    assert held_by({"metadata": {"name": "east"}}) == {}
    assert held_by({"metadata": {"name": "east"}, "status": {}}) == {}
