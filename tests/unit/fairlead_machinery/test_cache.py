"""The bounded cache."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_api import JsonObject
from fairlead_machinery.cache import Cache, CacheFull, ObjectKey, key_of


def labels(obj: JsonObject) -> list[str]:
    return [f"{key}={value}" for key, value in obj.get("labels", {}).items()]


CHANGES = st.lists(
    st.tuples(st.integers(0, 3), st.none() | st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy")))
)


@given(CHANGES)
def test_an_index_finds_what_a_search_would_find(changes: list[tuple[int, dict[str, str] | None]]) -> None:
    cache: Cache[JsonObject] = Cache({"label": labels})
    model: dict[ObjectKey, JsonObject] = {}
    for number, found in changes:
        key = ObjectKey("c", "n", str(number))
        if found is None:
            assert cache.remove(key) == model.pop(key, None)
        else:
            cache.put(key, {"labels": found})
            model[key] = {"labels": found}
    for value in ("a=x", "a=y", "b=x", "b=y"):
        assert set(cache.find_keys("label", value)) == {key for key, obj in model.items() if value in labels(obj)}
    assert len(cache) == len(model)


def test_a_full_cache_says_so() -> None:
    cache: Cache[int] = Cache(limit=1)
    key = ObjectKey("", "", "a")
    cache.put(key, 1)
    assert cache.put(key, 2) == 1
    with pytest.raises(CacheFull):
        cache.put(ObjectKey("", "", "b"), 1)
    assert list(cache) == [2]


def test_the_key_holds_the_logical_cluster() -> None:
    obj = {"metadata": {"name": "a", "namespace": "n", "annotations": {"kcp.io/cluster": "c"}}}
    assert key_of(obj) == ("c", "n", "a")
    assert str(key_of({"metadata": {"name": "a"}})) == "a"
