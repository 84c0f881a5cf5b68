"""No queue belongs to a pod: workers are killed, stopped and added while mail flows, and all of it arrives once."""

import asyncio
import itertools
from collections import Counter
from contextlib import ExitStack

from devstack.services import ServiceProgram
from mail_routing.entrypoints.smtp.grammar import Reply

from .conftest import TRUSTED, Mail, address, make_all_due, marker, sinking, until  # type: ignore[import-not-found]

MAILS = 240
TO = (
    [address("mr-rui"), "mr-eva@mr-b.test"],
    ["mr-team@mr-a.test", "yes@sink.test"],
    ["later@sink.test", address("mr-nuno")],
)


def worker(mail: Mail, name: str) -> ServiceProgram:
    """Another pod with the workers' roles, on the same mailboxes."""
    first = mail.program
    folders = {"ROLES": "worker,retry", "DATA_PATH": str(first.folder / "data")}
    return ServiceProgram(
        first.service, first.folder.parent / name, first._surroundings, settings={**first.settings, **folders}
    )


async def flow(mail: Mail, marks: dict[bytes, list[str]]) -> None:
    mixes = itertools.cycle(TO)
    for _ in range(MAILS):
        mark, to = marker(), next(mixes)
        content = b"From: ana\r\nX-Mark: " + mark + b"\r\n\r\nhello\r\n"
        await asyncio.to_thread(mail.send, address("mr-ana"), to, content, TRUSTED)
        marks[mark] = to


async def test_workers_come_and_go_while_mail_flows(mail: Mail) -> None:
    marks: dict[bytes, list[str]] = {}
    first, second, third = (worker(mail, name) for name in ("first", "second", "third"))
    async with sinking(mail.sink_port) as sink:
        sink.replies["later@sink.test"] = Reply(451, "4.2.0", "not now")
        with ExitStack() as ended:
            for program in (first, second, third):
                ended.callback(program.kill)
            for program in (first, second):
                await asyncio.to_thread(program.start)
            flowing = asyncio.create_task(flow(mail, marks))
            await until(lambda: len(marks) > MAILS // 4)
            first.kill()
            await asyncio.to_thread(third.start)
            await until(lambda: len(marks) > MAILS // 2)
            await asyncio.to_thread(second.stop)
            await flowing
            del sink.replies["later@sink.test"]
            # The pods that had seen some of it are gone; who is left takes it up, here sooner than in minutes.
            relayed = [mark for mark, to in marks.items() if any("@sink" in one for one in to)]
            async with asyncio.timeout(180):
                while not all(there(mail, mark, to) for mark, to in marks.items()) or not all(
                    sink.with_marker(mark) for mark in relayed
                ):
                    await make_all_due(mail)
                    await asyncio.sleep(1)
    twice = sum(len(sink.with_marker(mark)) - 1 for mark in relayed)
    assert twice <= 64, "a next hop may have again what was in hand when a worker died, and nothing else"
    counts = Counter(len(mail.letters(person, mark)) for mark, to in marks.items() for person in people(to))
    assert set(counts) == {1}


def people(to: list[str]) -> list[str]:
    if "mr-team@mr-a.test" in to:
        return ["mr-rui", "mr-eva"]
    return [one.partition("@")[0] for one in to if one.startswith("mr-")]


def there(mail: Mail, mark: bytes, to: list[str]) -> bool:
    return all(mail.letters(person, mark) for person in people(to))
