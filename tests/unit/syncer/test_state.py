"""What an agent remembers: of two answers about one object the later state counts, however late it came."""

from __future__ import annotations

import pytest

from fairlead_api import JsonObject
from fairlead_syncer.plan import ADOPTION, DOWNSTREAM_UID, ROW, SEAL
from fairlead_syncer.proofs import PROOF
from fairlead_syncer.state import State
from fairlead_syncer.target import Key, SyncTarget
from fairlead_transforms.downstream import LOCATOR
from tests.support.owned import created

TARGET = SyncTarget("root", "east", "uid", "host", "443", b"secret")
HOME = TARGET.namespace("team", "default")
SPACE = Key("", "namespaces", "team", "", "default")
KEY = Key("", "configmaps", "team", "default", "settings")


def _of(uid: str, version: str) -> JsonObject:
    return {"metadata": {"uid": uid, "resourceVersion": version}}


@pytest.mark.parametrize(
    ("known", "answer", "is_taken"),
    [
        (None, _of("a", "5"), True),
        (_of("a", "4"), _of("a", "5"), True),
        (_of("a", "10"), _of("a", "9"), False),  # as numbers
        (_of("a", "10"), _of("b", "9"), True),  # another object: the first is gone
        (_of("a", "?"), _of("a", "9"), True),
    ],
)
def test_a_late_answer_hides_no_newer_event(known: JsonObject | None, answer: JsonObject, is_taken: bool) -> None:
    """The answer to a write may arrive after the event of somebody's later edit."""
    state = State(SyncTarget("root", "east", "uid", "host", "443", b"secret"))
    if known is not None:
        state.actual[KEY] = known
    state.learn(KEY, answer)
    assert (state.actual[KEY] is answer) == is_taken


def _space(uid: str, manager: str = "syncer", **marks: str) -> JsonObject:
    """Return a namespace of the cluster with our locator and other marks."""
    locator = {LOCATOR: TARGET.locator("team", "default").to_json()}
    return created({"metadata": {"name": HOME, "annotations": locator | marks}}, uid, manager)


def _knowing(recorded: str = "", row: str = "7", **marks: str) -> State:
    """Return what an agent knows with a view of the namespace."""
    annotations = {ROW: row, **({DOWNSTREAM_UID: recorded} if recorded else {}), **marks}
    state = State(TARGET)
    state.put_view(SPACE, {"metadata": {"name": "default", "uid": "u", "annotations": annotations}})
    return state


def test_a_namespace_is_ours_by_its_uid() -> None:
    """The one that we sealed, or had recorded; with or without the other."""
    seal = TARGET.seal(HOME, "n1")
    assert State(TARGET).home_of(_space("n1", **{SEAL: seal})) == ("team", "default")
    assert _knowing("n1").home_of(_space("n1")) == ("team", "default")
    assert _knowing().home_of(_space("n1")) is None
    assert State(TARGET).home_of(_space("n1")) is None


def test_a_copy_of_a_namespace_is_somebodys() -> None:
    """Deleted and made again with every mark it had, it has another uid."""
    made = _knowing()
    marks = {SEAL: TARGET.seal(HOME, "n1"), PROOF: made.proof(SPACE, made.views[SPACE])}
    assert State(TARGET).home_of(_space("n2", **marks)) is None
    assert _knowing("n1").home_of(_space("n2", **marks)) is None
    assert _knowing(row="8").home_of(_space("n2", **marks)) is None, "of a row that came after the copied one went"
    told = _knowing()
    told.told(SPACE, told.views[SPACE], "n1")
    assert told.home_of(_space("n2", **marks)) is None, "as soon as the report of the first one was taken"


def test_a_namespace_is_ours_before_its_uid_was_recorded() -> None:
    """An agent that dies right after making it must find it again."""
    state = _knowing()
    proof = state.proof(SPACE, state.views[SPACE])
    assert _knowing().home_of(_space("n1", **{PROOF: proof})) == ("team", "default")
    assert _knowing().home_of(_space("n1", "fairlead-syncer", **{PROOF: proof})), "made by an agent of before"
    assert _knowing().home_of(_space("n2", "kubectl-create", **{PROOF: proof})) is None, "a copy"


def test_a_namespace_is_ours_when_it_was_handed_over() -> None:
    """That one, and still the one that was recorded after it."""
    given = f'{{"home":"{HOME}","uid":"n2","objects":[],"restart":false}}'
    state = _knowing("n3", **{ADOPTION: given})
    assert [state.home_of(_space(uid)) is not None for uid in ("n1", "n2", "n3")] == [False, True, True]
