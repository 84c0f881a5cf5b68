"""Resolve: where a mail would go, and why; the code of the route and of its rules, told step by step."""

from dataclasses import dataclass, replace
from datetime import datetime

import errors
from rpc import Caller

from mail_routing.application.apply_rules import ApplyRules, Books
from mail_routing.application.trace import ADMIN
from mail_routing.domain import address, headers, message, route, rule_grammar
from mail_routing.domain.destinations import Resolved
from mail_routing.domain.message import Message, MessageClass, Origin, Recipient
from mail_routing.domain.route import Destination, Route, Sender, Step
from mail_routing.domain.rules import Book, Facts, Rule
from mail_routing.domain.treatment import Treatment

MOST_SHOWN = 1000
_MOST_STEPS = 500


@dataclass(frozen=True, slots=True)
class Question:
    """A mail that its sender would hand in, authenticated, or (`outside`) that would come from somebody who is not
    believed, as one from a domain that is not ours does in any case. `draft` is asked as a rule of the caller's entity.
    """

    sender: str
    recipient: str
    content: bytes = b""
    draft: Rule | None = None
    outside: bool = False


@dataclass(frozen=True, slots=True)
class Explanation:
    """The steps in their order, the first thousand destinations, and how many there are."""

    steps: tuple[Step, ...]
    destinations: tuple[Destination, ...]
    count: int


@dataclass(frozen=True, slots=True)
class WithDraft:
    """`Books` in which a rule that is not in force stands among those of a scope."""

    books: Books
    scope: str
    draft: Rule

    @property
    def empty(self) -> bool:
        return False

    def of(self, scope: str) -> Book:
        book = self.books.of(scope)
        if scope != self.scope:
            return book
        others = tuple(rule for rule in book.rules if rule.rule_id != self.draft.rule_id)
        return replace(book, rules=(*others, self.draft)).in_order()


class Resolve:
    """Rules are told to those who administrate mail, since they may be nobody else's business; they count for all."""

    def __init__(self, the_route: Route, books: Books, apply_rules: ApplyRules) -> None:
        self._route = the_route
        self._books = books
        self._apply_rules = apply_rules

    def __call__(self, caller: Caller, question: Question, *, now: datetime) -> Explanation:
        """`Invalid` for content that cannot be read, or a draft that cannot be; `NotAllowed` for others' drafts."""
        steps: list[Step] = []

        def tell(step: Step) -> None:
            if len(steps) < _MOST_STEPS:
                steps.append(step)

        def told(book: Book, rule: Rule, outcome: str) -> None:
            if caller.has(ADMIN):
                whose = f"entity {book.scope}" if book.scope else "ministry"
                tell(Step("rule", f"{rule.name or rule.rule_id} ({whose}, version {rule.version})", outcome))

        apply_rules = self._apply_rules
        if question.draft is not None:
            apply_rules = self._with_draft(caller, question.draft)
        facts = self._facts(question, now)
        trusted = facts.message.origin.trusted
        if not trusted:
            tell(Step("outside", question.sender or "<>", "is not believed: whoever sends it has not authenticated"))
        sender = Sender(question.sender, trusted, reports=not question.sender)
        found = Resolved(self._route, sender, facts.message.recipients, tell)
        shown: list[Destination] = []
        count = 0
        for treatment, destination in apply_rules.treated(facts, found, told):
            count += 1
            if count <= MOST_SHOWN:
                shown.append(destination)
                _tell_treatment(treatment, destination, tell)
        shown += found.waiting.values()
        return Explanation(tuple(steps), tuple(shown[:MOST_SHOWN]), count + len(found.waiting))

    def _with_draft(self, caller: Caller, draft: Rule) -> ApplyRules:
        if not caller.has(ADMIN):
            raise errors.NotAllowed("rules are for mail administrators", reason="ROLE")
        rule_grammar.check(draft)
        return self._apply_rules.with_books(WithDraft(self._books, caller.entity_id, draft))

    def _facts(self, question: Question, now: datetime) -> Facts:
        content = question.content or b"\r\n"
        if not message.sound(content):
            raise errors.Invalid("the mail has a bare CR, a bare LF or a NUL", reason="BARE_LINE_END")
        headers.read(content)
        entity_id = self._route.directory.entity_of_domain(address.split(address.canonical(question.sender))[1]) or ""
        outside = question.outside or (question.sender and not entity_id)
        return Facts(
            Message(
                message_id="",
                entity_id=entity_id,
                sender=question.sender,
                recipients=(Recipient(question.recipient),),
                content=content,
                size=len(content),
                message_class=MessageClass.NORMAL,
                accepted_at=now,
                origin=Origin.SMTP if outside else Origin.GRPC,
            ),
            content,
        )


def _tell_treatment(treatment: Treatment, destination: Destination, tell: route.Tell) -> None:
    for decision in treatment.decisions:
        tell(Step("treated", destination.address, f"{decision.name}: {decision.actions}"))
    if treatment.held:
        who = f"members of {treatment.moderators}" if treatment.moderators else "mail administrators"
        tell(Step("moderated", destination.address, f"waits for {who}"))
