"""The order of the steps, and how they are shown."""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import grpc.aio
import rpc
import telemetry
from errors import RossioError
from rich.console import Console

from cli.demo.audit import audit
from cli.demo.document import document
from cli.demo.inbox import inbox
from cli.demo.mail import mail
from cli.demo.news import news
from cli.demo.prescription import prescription
from cli.demo.stage import Shown, Stage, Unmet

Step = Callable[[Stage], Awaitable[Shown]]
STEPS: Final[tuple[tuple[str, Step], ...]] = (
    ("A mail to a nested list of another entity", mail),
    ("A document shared across entities", document),
    ("A mandatory news item", news),
    ("A paperless prescription", prescription),
    ("The notices of all of these", inbox),
    ("The audit chains", audit),
)


# What holds in an installation whose mailboxes and SMS provider are out of sight.
REMOTE: Final = tuple((title, step) for title, step in STEPS if step is not prescription)


async def perform(stage: Stage, console: Console, steps: Sequence[tuple[str, Step]] = STEPS) -> bool:
    """Carries the work through, a step at a time; True when every step was checked."""
    held = [await _step(number, title, step, stage, console) for number, (title, step) in enumerate(steps, 1)]
    done = sum(held)
    colour = "green" if done == len(held) else "red"
    console.print(f"\n[bold {colour}]{done} of {len(held)} steps done and checked[/]", markup=True)
    return all(held)


async def _step(number: int, title: str, step: Step, stage: Stage, console: Console) -> bool:
    started = time.monotonic()
    try:
        with console.status(f"{number}. {title} …"), telemetry.observe(f"demo.{step.__name__}"):
            shown = await step(stage)
    except (Unmet, RossioError) as error:
        return _failed(console, number, title, str(error))
    except grpc.aio.AioRpcError as error:
        return _failed(console, number, title, str(rpc.error_of(error)))
    console.print(f"\n[green]✔[/] [bold]{number}. {title}[/]  {time.monotonic() - started:.1f} s", markup=True)
    for line in shown.lines:
        console.print(f"   {line}")
    console.print(f"   [dim]trace {shown.trace_id}[/]", markup=True)
    return True


def _failed(console: Console, number: int, title: str, why: str) -> bool:
    console.print(f"\n[red]✘[/] [bold]{number}. {title}[/]", markup=True)
    console.print(f"   {why}")
    return False
