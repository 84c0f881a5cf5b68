"""Parts of documents that another release wrote."""

from dataclasses import dataclass, field

import pytest
from store import known


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    size: int = 0
    folded: str = field(init=False, default="f")


def test_fields_of_a_later_release_are_passed_over_and_those_of_an_earlier_one_have_their_defaults() -> None:
    assert known(Part, {"name": "a", "size": 2, "folded": "x", "since_later": True}) == Part("a", 2)
    assert known(Part, {"name": "a"}) == Part("a")
    with pytest.raises(TypeError):
        known(Part, {"size": 1})
