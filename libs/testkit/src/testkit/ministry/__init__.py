"""The synthetic ministry: 62 real entities, and people, units and lists made from a seed.

The same seed and size give the same ministry, byte for byte. At full size the staff of each entity and
the totals of the professions are those of the real ministry; below it they are in proportion, and every
entity still has its officers. Nothing of it reaches anybody: domains are reserved (RFC 2606), mobiles unassigned.
"""

from testkit.ministry.changes import changes, view
from testkit.ministry.files import write_csv
from testkit.ministry.groups import Group
from testkit.ministry.people import OPERATOR, Person
from testkit.ministry.structure import Entity, Unit
from testkit.ministry.whole import FULL_SIZE, PROFESSIONS, Ministry

__all__ = [
    "FULL_SIZE",
    "OPERATOR",
    "PROFESSIONS",
    "Entity",
    "Group",
    "Ministry",
    "Person",
    "Unit",
    "changes",
    "view",
    "write_csv",
]
