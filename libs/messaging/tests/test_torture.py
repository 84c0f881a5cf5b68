"""Processes that are killed, join and leave while events fail at random."""

import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

WORKER = Path(__file__).with_name("worker.py")
EVENTS = 6000
KEYS = 60
PARTS = 6


@pytest.mark.slow
@pytest.mark.parametrize("batch", ["1", "40"])
async def test_nothing_is_lost_and_keys_keep_their_order_whoever_dies(
    kafka, stream, producer, acknowledged, until, letters, tmp_path, batch
):
    journal = tmp_path / "effects"
    running, ended = [], []

    def join():
        running.append(subprocess.Popen([sys.executable, str(WORKER), kafka, stream.name, str(journal), batch]))

    def effects():
        whole = journal.read_text().rpartition("\n")[0] if journal.exists() else ""  # what is being written is not yet
        lines = whole.splitlines()
        return [(key, int(number)) for key, number in (line.split() for line in lines)]

    def different():
        return len(set(effects()))

    try:
        join()
        join()
        for part in range(PARTS):
            start, middle = part * EVENTS // PARTS, (2 * part + 1) * EVENTS // PARTS // 2
            await producer.publish([acknowledged(f"key-{n % KEYS}", n) for n in range(start, start + EVENTS // PARTS)])
            await until(lambda middle=middle: different() > middle, 90)
            leaver = running.pop(0)
            ended.append(leaver)
            if part % 2:
                leaver.terminate()  # leaves in order
            else:
                leaver.kill()
            join()

        poison = {n for n in range(EVENTS) if n % 50 == 0}
        await until(lambda: different() == EVENTS - len(poison), 120)

        async def dead():
            return {n for letter in await letters.list() if (n := letter.content().get("textVersion", 0)) in poison}

        async def all_dead():
            return await dead() == poison

        await until(all_dead, 60)
    finally:
        for process in ended + running:
            process.kill()
            process.wait()

    assert {letter.reason for letter in await letters.list()} == {"POISON"}
    first: defaultdict[str, list[int]] = defaultdict(list)
    seen: set[int] = set()
    for key, number in effects():
        if number not in seen:
            seen.add(number)
            first[key].append(number)
    assert all(numbers == sorted(numbers) for numbers in first.values())
    twice = len(effects()) - len(seen)
    print(f"{twice} of {EVENTS} events were handled more than once")  # noqa: T201
