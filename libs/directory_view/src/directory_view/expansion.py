"""Who is in a group: static, nested and dynamic members, whatever circles they make.

A group depends on the groups that are its members and on those that its expression names. Members are
the least sets of people that satisfy all groups at once: in a circle of nested groups each has the
members of all. Where an expression names, below a `not`, a group that depends back on its own, no such
sets need exist ("all but ourselves"); there the name reads as the empty group.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pyroaring import BitMap

from directory_view.audience import Expression, evaluate, group_references


@dataclass(frozen=True, slots=True)
class GroupParts:
    """What a group is made of: its static people, the groups nested in it, and its expression."""

    people: BitMap
    nested: tuple[str, ...]
    expression: Expression | None

    def dependencies(self) -> set[str]:
        named = group_references(self.expression) if self.expression else ()
        return {*self.nested, *(group_id for group_id, _ in named)}


class Expansion:
    """The members of groups over one state of the directory; what was expanded once is kept.

    Args:
        parts: what a group is made of; None when there is no such group, which has no members.
        holders: the people who have a value of an attribute, for every attribute but `group`.
        everybody: all people there are.
    """

    def __init__(
        self,
        parts: Callable[[str], GroupParts | None],
        holders: Callable[[str, str], BitMap],
        everybody: BitMap,
    ) -> None:
        self._parts = parts
        self._holders = holders
        self._everybody = everybody
        self._members: dict[str, BitMap] = {}

    def members(self, group_id: str) -> BitMap:
        """The people in the group; not to be changed."""
        if group_id not in self._members:
            if self._parts(group_id) is None:
                return BitMap()
            for circle in self._circles(group_id):
                self._settle(circle)
        return self._members[group_id]

    def audience(self, expression: Expression) -> BitMap:
        """The people whom an expression means; the caller's own."""
        return evaluate(expression, lambda attribute, value, _: self._have(attribute, value), self._everybody)

    def _have(self, attribute: str, value: str) -> BitMap:
        return self.members(value) if attribute == "group" else self._holders(attribute, value)

    def _settle(self, circle: dict[str, GroupParts]) -> None:
        """Finds the members of groups that depend on each other, or of one that does not on itself.

        All that they depend on outside of the circle is settled.
        """
        grown = {group_id: BitMap() for group_id in circle}

        def have(attribute: str, value: str, negated: bool) -> BitMap:
            if attribute == "group" and value in grown:
                return BitMap() if negated else grown[value]
            return self._have(attribute, value)

        def expand(parts: GroupParts) -> BitMap:
            nested = (have("group", group_id, False) for group_id in parts.nested)
            members = BitMap.union(parts.people, *nested)
            return members | evaluate(parts.expression, have, self._everybody) if parts.expression else members

        if all(circle.keys().isdisjoint(_named(parts)) for parts in circle.values()):
            # Nesting alone: everything in the circle flows to each group of it.
            together = BitMap.union(BitMap(), *(expand(parts) for parts in circle.values()))
            self._members.update(dict.fromkeys(circle, together))
            return
        growing = True
        while growing:
            growing = False
            for group_id, parts in circle.items():
                members = expand(parts)
                growing |= len(members) > len(grown[group_id])
                grown[group_id] = members
        self._members.update(grown)

    def _circles(self, start: str) -> Iterator[dict[str, GroupParts]]:
        """The unsettled groups that `start` depends on, those that depend on each other together.

        Each comes after all that it depends on (Tarjan's strongly connected components, without recursion).
        """
        found: dict[str, int] = {}
        lowest: dict[str, int] = {}
        open_groups: dict[str, GroupParts] = {}
        path: list[tuple[str, Iterator[str]]] = []

        def enter(group_id: str) -> None:
            parts = self._parts(group_id) or _NOTHING
            found[group_id] = lowest[group_id] = len(found)
            open_groups[group_id] = parts
            path.append((group_id, iter(sorted(parts.dependencies()))))

        enter(start)
        while path:
            group_id, dependencies = path[-1]
            for dependency in dependencies:
                if dependency in self._members:
                    continue
                if dependency not in found:
                    enter(dependency)
                    break
                lowest[group_id] = min(lowest[group_id], found[dependency])
            else:
                path.pop()
                if path:
                    above = path[-1][0]
                    lowest[above] = min(lowest[above], lowest[group_id])
                if lowest[group_id] == found[group_id]:
                    circle = {}
                    while group_id not in circle:
                        member, parts = open_groups.popitem()
                        circle[member] = parts
                    yield circle


_NOTHING = GroupParts(BitMap(), (), None)


def _named(parts: GroupParts) -> set[str]:
    return {group_id for group_id, _ in group_references(parts.expression)} if parts.expression else set()
