"""Use cases: a mail administrator makes, changes, removes and reads the transport rules of a scope."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

import errors
from rpc import Caller

from mail_routing.application.ports import Deed
from mail_routing.domain import rule_grammar
from mail_routing.domain.rules import CENTRAL, Book, Rule, Verb

MOST_RULES = 500
_MINISTRY_ADMIN = "ministry.admin"


@dataclass(frozen=True, slots=True)
class Entry:
    """A rule as it was from its version on, who made it so and when; removed: there is none from then on."""

    rule: Rule
    by: str
    at: datetime
    request: str
    removed: bool = False


@dataclass(frozen=True, slots=True)
class Shelf:
    """The book of a scope as the store has it: the entries in force, and the former ones, newest last."""

    scope: str
    entries: tuple[Entry, ...] = ()
    history: tuple[Entry, ...] = ()
    version: int = 0

    def book(self) -> Book:
        return Book(self.scope, tuple(entry.rule for entry in self.entries), self.version).in_order()


class Shelves(Protocol):
    async def get(self, scope: str) -> Shelf: ...
    async def put(self, shelf: Shelf, entry: Entry, former: Entry | None, deed: Deed) -> None:
        """Record the entry in the place of the former one; `Conflict` when the shelf has changed since."""


def scope_of(caller: Caller, *, central: bool) -> str:
    """`NotFound` for the ministry's rules, where those are not the caller's to change."""
    if central and not caller.has(_MINISTRY_ADMIN):
        raise errors.NotFound("there are no such rules")
    return CENTRAL if central else caller.entity_id


@dataclass(frozen=True, slots=True)
class PutRule:
    """`is_group`: whether there is a group with that id."""

    shelves: Shelves
    is_group: Callable[[str], bool]

    async def __call__(
        self, caller: Caller, rule: Rule, *, central: bool, new_id: str, request: str, at: datetime
    ) -> Entry:
        """The rule as it stands now; a repeat of the request changes nothing.

        `Invalid` (RULE_...) for what a rule may not say, `NotFound` for a rule_id that is not in the scope.
        """
        rule_grammar.check(rule)
        for action in rule.actions:
            if action.verb is Verb.HOLD and action.name and not self.is_group(action.name):
                raise errors.Invalid("the action hold names no group that there is", reason="RULE_ACTION")
        shelf = await self.shelves.get(scope_of(caller, central=central))
        for entry in shelf.entries:
            if entry.request == request:
                return entry
        former = next((entry for entry in shelf.entries if entry.rule.rule_id == rule.rule_id), None)
        if rule.rule_id and former is None:
            raise errors.NotFound("there is no such rule")
        if former is None and len(shelf.entries) >= MOST_RULES:
            raise errors.Exhausted("the entity has as many rules as it may", reason="TOO_MANY_RULES")
        changed = replace(rule, rule_id=rule.rule_id or new_id, version=shelf.version + 1)
        entry = Entry(changed, caller.subject, at, request)
        await self.shelves.put(shelf, entry, former, Deed(caller, at))
        return entry


@dataclass(frozen=True, slots=True)
class RemoveRule:
    shelves: Shelves

    async def __call__(self, caller: Caller, rule_id: str, *, central: bool, request: str, at: datetime) -> None:
        """It holds no longer; its former versions stay. `NotFound` when it is not there."""
        shelf = await self.shelves.get(scope_of(caller, central=central))
        if any(entry.request == request for entry in shelf.history):
            return
        former = next((entry for entry in shelf.entries if entry.rule.rule_id == rule_id), None)
        if former is None:
            raise errors.NotFound("there is no such rule")
        gone = Entry(replace(former.rule, version=shelf.version + 1), caller.subject, at, request, removed=True)
        await self.shelves.put(shelf, gone, former, Deed(caller, at))


@dataclass(frozen=True, slots=True)
class GetRules:
    shelves: Shelves

    async def __call__(self, caller: Caller, *, central: bool) -> Shelf:
        return await self.shelves.get(CENTRAL if central else caller.entity_id)
