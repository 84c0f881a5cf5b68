"""The tree of units."""

from collections import defaultdict

from rossio.directory.v1.directory_pb2 import Unit


class Units:
    """Every unit as it was told last, and what lies above and below it; a circle ends where it began."""

    def __init__(self) -> None:
        self._units: dict[str, bytes] = {}
        self._children: defaultdict[str, set[str]] = defaultdict(set)

    def get(self, unit_id: str) -> Unit | None:
        raw = self._units.get(unit_id)
        return None if raw is None else Unit.FromString(raw)

    def put(self, unit: Unit) -> bool:
        """Whether it is newer than the one held."""
        held = self.get(unit.unit_id)
        if held is not None:
            if held.version >= unit.version:
                return False
            self._children[held.parent_unit_id].discard(unit.unit_id)
        self._units[unit.unit_id] = unit.SerializeToString()
        self._children[unit.parent_unit_id].add(unit.unit_id)
        return True

    def above(self, unit_id: str) -> set[str]:
        """The unit and all above it."""
        units: set[str] = set()
        while unit_id not in units:
            units.add(unit_id)
            unit = self.get(unit_id)
            if unit is None or not unit.parent_unit_id:
                break
            unit_id = unit.parent_unit_id
        return units

    def below(self, unit_id: str) -> set[str]:
        """The unit and all below it."""
        units = {unit_id}
        waiting = [unit_id]
        while waiting:
            found = self._children.get(waiting.pop(), set()) - units
            units |= found
            waiting += found
        return units
