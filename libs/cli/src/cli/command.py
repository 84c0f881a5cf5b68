"""What every command shares: how it is run, who runs it, and how it prints."""

import asyncio
import sys
import unicodedata
from collections.abc import Awaitable, Callable, Iterable
from functools import wraps
from typing import Annotated, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

P = ParamSpec("P")
T = TypeVar("T")

# Nearly all that is printed was written by others: markup is for the few lines that say so.
console = Console(highlight=False, markup=False, emoji=False, soft_wrap=not sys.stdout.isatty())
_ANY_WIDTH = 100_000
_STEERING = frozenset({"Cc", "Cs", "Zl", "Zp"})
_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
As = Annotated[str | None, typer.Option("--as", help="Who is asking: address or id of a person of the embedded stack.")]


def sync(command: Callable[P, Awaitable[T]]) -> Callable[P, T]:
    """Lets typer call an async command."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        async def main() -> T:
            return await command(*args, **kwargs)

        return asyncio.run(main())

    return run


def shown(what: object, but: str = "") -> str:
    r"""Text as a terminal may have it, whoever wrote it: a character that would steer the terminal, begin a line or
    turn the direction of reading stands there as `\x1b`. Those in `but` stay.
    """
    text = str(what)
    return text if text.isprintable() else "".join(each if each in but else _seen(each) for each in text)


def _seen(character: str) -> str:
    steers = character in _TURNING or unicodedata.category(character) in _STEERING
    return character.encode("unicode_escape").decode() if steers else character


def tell(what: str) -> None:
    """Prints text of several lines that others wrote."""
    print(shown(what.replace("\r\n", "\n"), but="\n\t"), flush=True)


def line(*cells: object) -> None:
    """Prints a row as programs read it."""
    print("\t".join(map(shown, cells)), flush=True)


def note(what: str) -> None:
    """Says what is for people and no part of the result, beside it."""
    print(shown(what), file=sys.stderr)


def table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Prints rows as a table on a terminal, and tab-separated elsewhere, so that programs can read it.

    Where the terminal is too narrow for the table each cell has a line of its own: an id that is cut is of no use.
    """
    if not console.is_terminal:
        for row in rows:
            line(*row)
        return
    names, cells = list(columns), [list(map(shown, row)) for row in rows]
    drawn = Table(*names, box=None, header_style="bold")
    for row in cells:
        drawn.add_row(*row)
    natural = console.measure(drawn, options=console.options.update(width=_ANY_WIDTH)).maximum
    if natural <= console.width:
        console.print(drawn)
    else:
        _one_below_the_other(names, cells)


def _one_below_the_other(names: list[str], rows: list[list[str]]) -> None:
    width = max(map(len, names))
    for row in rows:
        for name, cell in zip(names, row, strict=True):
            console.print(Text(f"{name:>{width}}  ", style="bold") + Text(cell), soft_wrap=True)
        console.print()
