r"""Audience expressions: who is meant, said in attributes of people.

    expression  = conjunction *( "or" conjunction )
    conjunction = negation *( "and" negation )
    negation    = "not" negation / primary
    primary     = "all" / "(" expression ")" / attribute "=" string / attribute "in" "(" string *( "," string ) ")"
    attribute   = "entity" / "unit" / "profession" / "role" / "locale" / "person" / "group"
    string      = DQUOTE *( any character but DQUOTE and "\" / "\" DQUOTE / "\\" ) DQUOTE

`unit` holds for the units below it too, `group` for nested and dynamic members, `locale` for
"pt-PT" where a person has none. A value that nobody has holds for nobody.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from errors import Invalid
from pyroaring import BitMap

ATTRIBUTES: Final = frozenset({"entity", "unit", "profession", "role", "locale", "person", "group"})
MAX_LENGTH: Final = 8192
# Deep enough for people, and far from the interpreter's own limit.
MAX_DEPTH: Final = 50


@dataclass(frozen=True, slots=True)
class Everybody:
    """Everybody who works in the ministry."""

    def __str__(self) -> str:
        return "all"


@dataclass(frozen=True, slots=True)
class Match:
    """The attribute has one of the values, which are sorted and differ."""

    attribute: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        strings = [quoted(value) for value in self.values]
        return (
            f"{self.attribute} = {strings[0]}" if len(strings) == 1 else f"{self.attribute} in ({', '.join(strings)})"
        )


@dataclass(frozen=True, slots=True)
class Not:
    """Everybody else; the operand is no `Not`."""

    operand: "Expression"

    def __str__(self) -> str:
        return f"not ({self.operand})" if isinstance(self.operand, And | Or) else f"not {self.operand}"


@dataclass(frozen=True, slots=True)
class And:
    """At least two operands, none an `And`, sorted by their text, which differs."""

    operands: "tuple[Expression, ...]"

    def __str__(self) -> str:
        return " and ".join(f"({operand})" if isinstance(operand, Or) else str(operand) for operand in self.operands)


@dataclass(frozen=True, slots=True)
class Or:
    """At least two operands, none an `Or`, sorted by their text, which differs."""

    operands: "tuple[Expression, ...]"

    def __str__(self) -> str:
        return " or ".join(map(str, self.operands))


Expression = Everybody | Match | Not | And | Or


def quoted(value: str) -> str:
    """`value` as a string of the grammar."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@lru_cache(maxsize=1024)
def parse(text: str) -> Expression:
    """The canonical form of an expression: equal audiences that differ in order, repetition or brackets meet.

    `parse(str(expression)) == expression`.

    Raises:
        Invalid: `details` have the `position` (the first character is 1), and for an unknown attribute
            its name as `attribute`, with the reason UNKNOWN_ATTRIBUTE; else the reason is AUDIENCE_SYNTAX.
    """
    if len(text) > MAX_LENGTH:
        raise _syntax(f"an audience has at most {MAX_LENGTH} characters", MAX_LENGTH + 1)
    return _Parser(text).whole()


def group_references(expression: Expression, *, negated: bool = False) -> Iterator[tuple[str, bool]]:
    """The groups that the expression names, each with whether it stands below a `not`."""
    match expression:
        case Match("group", values):
            yield from ((value, negated) for value in values)
        case Not(operand):
            yield from group_references(operand, negated=True)
        case And(operands) | Or(operands):
            for operand in operands:
                yield from group_references(operand, negated=negated)


def evaluate(
    expression: Expression,
    holders: Callable[[str, str, bool], BitMap],
    everybody: BitMap,
    *,
    negated: bool = False,
) -> BitMap:
    """The people whom the expression means, as a bitmap that the caller may change.

    Args:
        expression: what `parse` returned.
        holders: the people who have that value of that attribute; the third argument says whether
            the question stands below a `not`.
        everybody: all people there are; everything that `holders` returns lies within.
        negated: whether the whole expression stands below a `not`.
    """
    match expression:
        case Everybody():
            return everybody.copy()
        case Match(attribute, values):
            return BitMap.union(BitMap(), *(holders(attribute, value, negated) for value in values))
        case Not(operand):
            return everybody - evaluate(operand, holders, everybody, negated=True)
        case And(operands):
            return BitMap.intersection(
                *(evaluate(operand, holders, everybody, negated=negated) for operand in operands)
            )
        case Or(operands):
            return BitMap.union(*(evaluate(operand, holders, everybody, negated=negated) for operand in operands))


_STRING: Final = '"'


class _Token(NamedTuple):
    """`kind` is the text itself for words and punctuation, _STRING for a string, "" at the end."""

    kind: str
    value: str
    position: int


_TOKEN: Final = re.compile(r'\s*(?:(?P<word>[a-z_]+)|(?P<string>"(?:[^"\\]|\\["\\])*")|(?P<mark>[()=,])|(?P<end>$))')


def _tokens(text: str) -> Iterator[_Token]:
    start = 0
    while True:
        found = _TOKEN.match(text, start)
        if found is None:
            at = start + len(text[start:]) - len(text[start:].lstrip())
            what = "a string that does not end" if text[at] == '"' else f"unexpected {text[at]!r}"
            raise _syntax(what, at + 1)
        kind = found.lastgroup or ""
        position = found.start(kind) + 1
        if kind == "end":
            yield _Token("", "", position)
            return
        value = found[kind]
        if kind == "string":
            yield _Token(_STRING, re.sub(r"\\(.)", r"\1", value[1:-1]), position)
        else:
            yield _Token(value, value, position)
        start = found.end()


class _Parser:
    """One method a rule of the grammar."""

    def __init__(self, text: str) -> None:
        self._rest = _tokens(text)
        self._next = next(self._rest)
        self._depth = 0

    def whole(self) -> Expression:
        expression = self._expression()
        if self._next.kind:
            raise self._unexpected('"and", "or" or the end')
        return expression

    def _expression(self) -> Expression:
        operands = [self._conjunction()]
        while self._accept("or"):
            operands.append(self._conjunction())
        flat = _distinct(part for one in operands for part in (one.operands if isinstance(one, Or) else (one,)))
        return flat[0] if len(flat) == 1 else Or(flat)

    def _conjunction(self) -> Expression:
        operands = [self._negation()]
        while self._accept("and"):
            operands.append(self._negation())
        flat = _distinct(part for one in operands for part in (one.operands if isinstance(one, And) else (one,)))
        return flat[0] if len(flat) == 1 else And(flat)

    def _negation(self) -> Expression:
        position = self._next.position
        if not self._accept("not"):
            return self._primary()
        operand = self._deeper(position, self._negation)
        return operand.operand if isinstance(operand, Not) else Not(operand)

    def _primary(self) -> Expression:
        token = self._next
        if self._accept("all"):
            return Everybody()
        if self._accept("("):
            inner = self._deeper(token.position, self._expression)
            self._expect(")")
            return inner
        if not token.kind.isidentifier() or token.kind in {"and", "or", "in"}:
            raise self._unexpected("an attribute")
        self._advance()
        if token.value not in ATTRIBUTES:
            raise Invalid(
                f"position {token.position}: there is no attribute {token.value!r}; "
                f"there are {', '.join(sorted(ATTRIBUTES))}",
                reason="UNKNOWN_ATTRIBUTE",
                position=str(token.position),
                attribute=token.value,
            )
        if self._accept("="):
            return Match(token.value, (self._expect(_STRING),))
        if not self._accept("in"):
            raise self._unexpected('"=" or "in"')
        self._expect("(")
        values = {self._expect(_STRING)}
        while self._accept(","):
            values.add(self._expect(_STRING))
        self._expect(")")
        return Match(token.value, tuple(sorted(values)))

    def _deeper(self, position: int, rule: Callable[[], Expression]) -> Expression:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _syntax(f"nested deeper than {MAX_DEPTH}", position)
        expression = rule()
        self._depth -= 1
        return expression

    def _accept(self, kind: str) -> bool:
        if self._next.kind != kind:
            return False
        self._advance()
        return True

    def _expect(self, kind: str) -> str:
        token = self._next
        if not self._accept(kind):
            raise self._unexpected("a string in double quotes" if kind == _STRING else f'"{kind}"')
        return token.value

    def _advance(self) -> None:
        self._next = next(self._rest)

    def _unexpected(self, wanted: str) -> Invalid:
        found = "the end" if not self._next.kind else f'"{self._next.value}"'
        return _syntax(f"{found} where {wanted} should stand", self._next.position)


def _distinct(expressions: Iterable[Expression]) -> tuple[Expression, ...]:
    by_text = {str(expression): expression for expression in expressions}
    return tuple(by_text[text] for text in sorted(by_text))


def _syntax(message: str, position: int) -> Invalid:
    return Invalid(f"position {position}: {message}", reason="AUDIENCE_SYNTAX", position=str(position))
