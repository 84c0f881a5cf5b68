"""What every command shares: how it is run, who runs it, and how it prints."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable
from functools import wraps
from typing import Annotated, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.table import Table

P = ParamSpec("P")
T = TypeVar("T")

console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
As = Annotated[str | None, typer.Option("--as", help="Who is asking: address or id of a person of the embedded stack.")]


def sync(command: Callable[P, Awaitable[T]]) -> Callable[P, T]:
    """Lets typer call an async command."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        async def main() -> T:
            return await command(*args, **kwargs)

        return asyncio.run(main())

    return run


def note(what: str) -> None:
    """Says what is for people and no part of the result, beside it."""
    print(what, file=sys.stderr)


def table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Prints rows as a table on a terminal, and tab-separated elsewhere, so that programs can read it."""
    if not console.is_terminal:
        for row in rows:
            print("\t".join(str(cell) for cell in row))
        return
    drawn = Table(*columns, box=None, header_style="bold")
    for row in rows:
        drawn.add_row(*(str(cell) for cell in row))
    console.print(drawn)
