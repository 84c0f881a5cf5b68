"""What addresses, domains and the other fields must look like."""

import pytest
from directory.domain.records import Entity, Group, Person
from directory.domain.shapes import problems


@pytest.mark.parametrize("address", ["a@b.pt", "ana.silva+x@um.example", "joão@são-josé.example", "o'neil@um.example"])
def test_addresses_that_may_be(address: str) -> None:
    assert not _of("addresses", address)


@pytest.mark.parametrize(
    "address",
    ["", "a", "a@", "@um.example", "a@b", "A@um.example", "a b@um.example", '"a"@um.example', "a.@um.example",
     "a..b@um.example", "a@-um.example", "a@um-.example", "a@[127.0.0.1]", f"{'x' * 65}@um.example", "a@um.example\n",
     "a\x00@um.example", f"a@{'x' * 64}.example", "a@" + ".".join(["x" * 60] * 5), "á\u2028@um.example"],
)  # fmt: skip
def test_addresses_that_may_not(address: str) -> None:
    assert _of("addresses", address)


def _of(column: str, address: str) -> list[str]:
    person = Person("p1", "e1", "", "Ana", "Silva", (address,), "other")
    return [problem.message for problem in problems(person) if problem.column == column]


def test_a_person_needs_no_address_but_a_name_without_control_characters() -> None:
    assert not list(problems(Person("p1", "e1", "", "Ana", "Silva", (), "other")))
    assert [p.column for p in problems(Person("p1", "e1", "", "A\x07na", "Silva", (), "other"))] == ["given_name"]


def test_a_name_twice_is_refused() -> None:
    entity = Entity("e1", "Um", "ULS", ("um.example", "um.example"))
    assert [problem.column for problem in problems(entity)] == ["domains"]


def test_a_group_fits_one_record_of_a_stream() -> None:
    members = tuple(f"p{number:06}" for number in range(60_000))
    assert not list(problems(Group("g1", "e1", "Todos", people=members)))
    too_many = tuple(f"p{number:06}" for number in range(80_000))
    assert [problem.column for problem in problems(Group("g1", "e1", "Todos", people=too_many))] == ["members"]
