"""Which groups a person may be in, without looking into every group."""

from collections.abc import Iterable, Iterator

from errors import Invalid
from rossio.directory.v1.directory_pb2 import Group

from directory_view.audience import And, Everybody, Expression, Match, Not, Or, parse
from directory_view.hash_index import HashIndex

# What everybody has: the ground of groups that no attribute narrows down.
_ANYBODY = ""
# The most telling attribute of a conjunction comes first: it leaves the fewest people to be looked at.
_TELLING = ("person", "group", "unit", "role", "entity", "profession", "locale")


class Memberships:
    """The grounds on which people are members of groups: one key for each, and the groups behind it.

    A member of a group has at least one of its grounds: being named in it, being in a group that it names, or
    having one of the values of the most telling attribute of its expression. So a change of a person costs
    nothing here, one of a group only what it gained and lost, and a question only what the person has.
    """

    def __init__(self) -> None:
        self._index = HashIndex()
        self._slots: dict[str, int] = {}
        self._groups: list[str] = []

    def put(self, group: Group, held: Group | None) -> None:
        """Takes in a group in the place of what was held of it."""
        before, now = set(_grounds(held)) if held else set[str](), set(_grounds(group))
        slot = self._slots.setdefault(group.group_id, len(self._groups))
        if slot == len(self._groups):
            self._groups.append(group.group_id)
        for ground in before - now:
            self._index.remove(ground, slot)
        for ground in now - before:
            self._index.add(ground, slot)

    def candidates(self, attributes: Iterable[tuple[str, str]]) -> set[str]:
        """All groups that somebody with these attributes is in, and some that they are not in."""
        found: set[str] = set()
        waiting = [_ANYBODY, *(_key(name, value) for name, value in attributes)]
        while waiting:
            for slot in self._index.candidates(waiting.pop()):
                group_id = self._groups[slot]
                if group_id not in found:
                    found.add(group_id)
                    waiting.append(_key("group", group_id))
        return found


def _grounds(group: Group) -> Iterator[str]:
    """The keys of the grounds; of an expression that cannot be read there are none, since it means nobody."""
    if group.removed:
        return
    for member in group.members:
        if member.person_id:
            yield _key("person", member.person_id)
        elif member.group_id:
            yield _key("group", member.group_id)
    if group.expression:
        try:
            yield from _narrowest(parse(group.expression))
        except Invalid:
            return


def _narrowest(expression: Expression) -> set[str]:
    """Keys of which everybody whom the expression means has one."""
    match expression:
        case Match(attribute, values):
            return {_key(attribute, value) for value in values}
        case Or(operands):
            return set[str]().union(*map(_narrowest, operands))
        case And(operands):
            return min(map(_narrowest, operands), key=_breadth)
        case Everybody() | Not():
            return {_ANYBODY}


def _breadth(keys: set[str]) -> tuple[int, int]:
    return max(_TELLING.index(key.partition("\0")[0]) if key else len(_TELLING) for key in keys), len(keys)


def _key(attribute: str, value: str) -> str:
    return f"{attribute}\0{value}"
