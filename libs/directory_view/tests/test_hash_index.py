"""The packed index against a plain dict of sets, with keys whose hashes collide."""

from collections import defaultdict

from directory_view.hash_index import HashIndex
from hypothesis import given, settings
from hypothesis import strategies as st


class _Colliding(str):
    """A key of which many have the same hash, or neighbouring ones."""

    __slots__ = ()

    def __hash__(self) -> int:
        return len(self) % 5


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20), st.integers(0, 30)), max_size=400))
def test_it_holds_what_a_dict_of_sets_holds(steps: list[tuple[bool, int, int]]) -> None:
    index = HashIndex()
    oracle: defaultdict[_Colliding, set[int]] = defaultdict(set)
    for adds, length, number in steps:
        key = _Colliding("x" * length)
        if adds and number not in oracle[key]:
            index.add(key, number)
            oracle[key].add(number)
        elif not adds:
            index.remove(key, number)
            same = [other for other in oracle if hash(other) == hash(key) and number in oracle[other]]
            if same:
                oracle[same[0]].discard(number)
    assert len(index) == sum(map(len, oracle.values()))
    for key, numbers in oracle.items():
        found = list(index.candidates(key))
        assert sorted(found) == sorted(n for other in oracle if hash(other) == hash(key) for n in oracle[other])
        assert numbers <= set(found)


def test_room_is_won_back_from_what_is_gone() -> None:
    index = HashIndex()
    for number in range(100_000):
        index.add("key", number)
        index.remove("key", number)
    assert list(index.candidates("key")) == []
    assert len(index._numbers) == 64
