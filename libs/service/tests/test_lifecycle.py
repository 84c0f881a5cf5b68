import asyncio
from collections.abc import Iterator

import pytest
import telemetry
from errors import Transient
from service.lifecycle import Lifecycle, Stage
from testkit.polling import until


class Part:
    """A component that writes down what is done with it."""

    def __init__(self, name: str, said: list[str], *, away: int = 0, hangs: bool = False, breaks: str = "") -> None:
        self.name = name
        self.said = said
        self.away = away
        self.hangs = hangs
        self.breaks = breaks

    async def start(self) -> None:
        if self.away:
            self.away -= 1
            raise Transient("the moon is down", reason="MOON_DOWN")
        if self.breaks == "start":
            raise ZeroDivisionError
        self.said.append(f"+{self.name}")

    async def stop(self) -> None:
        self.said.append(f"-{self.name}")
        if self.hangs:
            await asyncio.Event().wait()
        if self.breaks == "stop":
            raise ZeroDivisionError


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    yield
    telemetry.health.forget("service")


async def test_it_starts_by_stages_and_ends_in_reverse() -> None:
    said: list[str] = []
    lifecycle = Lifecycle(drain_seconds=5)
    lifecycle.add(Part("consumer", said), "consumer", Stage.CONSUMER)
    lifecycle.add(Part("store", said), "store")
    lifecycle.add(Part("grpc", said), "grpc", Stage.SERVER)
    lifecycle.add(Part("relay", said), "relay")
    async with lifecycle.lived(pytest.fail):
        await until(telemetry.health.ready)
    assert said == ["+store", "+relay", "+grpc", "+consumer", "-consumer", "-grpc", "-relay", "-store"]


async def test_it_waits_for_what_is_away_and_says_so_once(capsys: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []
    lifecycle = Lifecycle(drain_seconds=5)
    lifecycle.add(Part("store", said, away=3), "store")
    async with lifecycle.lived(pytest.fail):
        await until(lambda: telemetry.health.report()["service"] == "store waits: the moon is down")
        assert said == []
        await until(telemetry.health.ready)
    assert said == ["+store", "-store"]
    assert capsys.readouterr().err.count("waits for a dependency") == 1


async def test_it_can_be_stopped_while_it_waits() -> None:
    said: list[str] = []
    lifecycle = Lifecycle(drain_seconds=5)
    lifecycle.add(Part("store", said), "store")
    lifecycle.add(Part("broker", said, away=10**9), "broker")
    lifecycle.add(Part("consumer", said), "consumer", Stage.CONSUMER)
    async with lifecycle.lived(pytest.fail):
        await until(lambda: "broker waits" in str(telemetry.health.report()["service"]))
    assert said == ["+store", "-broker", "-store"]


async def test_a_bug_at_the_start_ends_the_life_and_is_raised() -> None:
    said: list[str] = []
    ended = asyncio.Event()
    lifecycle = Lifecycle(drain_seconds=5)
    lifecycle.add(Part("store", said), "store")
    lifecycle.add(Part("broken", said, breaks="start"), "broken")

    async def live() -> None:
        async with lifecycle.lived(ended.set):
            await ended.wait()

    with pytest.raises(ZeroDivisionError):
        await live()
    assert said == ["+store", "-broken", "-store"]


async def test_one_that_hangs_at_the_end_keeps_nobody_from_ending(capsys: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []
    lifecycle = Lifecycle(drain_seconds=0.05)
    lifecycle.add(Part("store", said), "store")
    lifecycle.add(Part("stuck", said, hangs=True), "stuck", Stage.CONSUMER)
    async with lifecycle.lived(pytest.fail):
        await until(telemetry.health.ready)
    assert said == ["+store", "+stuck", "-stuck", "-store"]
    assert "not drained in time" in capsys.readouterr().err


async def test_one_that_breaks_at_the_end_keeps_nobody_from_ending_and_is_raised() -> None:
    said: list[str] = []
    lifecycle = Lifecycle(drain_seconds=5)
    lifecycle.add(Part("store", said), "store")
    lifecycle.add(Part("broken", said, breaks="stop"), "broken")

    async def live() -> None:
        async with lifecycle.lived(pytest.fail):
            await until(telemetry.health.ready)

    with pytest.raises(ZeroDivisionError):
        await live()
    assert said == ["+store", "+broken", "-broken", "-store"]


async def test_it_is_not_ready_before_anything_stops() -> None:
    seen: list[str | None] = []

    class Watcher(Part):
        async def stop(self) -> None:
            seen.append(telemetry.health.report()["service"])

    lifecycle = Lifecycle(drain_seconds=5)
    lifecycle.add(Watcher("watcher", []), "watcher", Stage.CONSUMER)
    async with lifecycle.lived(pytest.fail):
        await until(telemetry.health.ready)
    assert seen == ["draining"]


async def test_a_lame_duck_says_so_and_goes_on_for_a_while() -> None:
    said: list[str] = []
    lifecycle = Lifecycle(drain_seconds=5, lame_duck_seconds=0.2)
    lifecycle.add(Part("grpc", said), "grpc", Stage.SERVER)

    async def live() -> None:
        async with lifecycle.lived(pytest.fail):
            await until(telemetry.health.ready)

    living = asyncio.create_task(live())
    await until(lambda: telemetry.health.report()["service"] == "draining")
    assert said == ["+grpc"]
    await living
    assert said == ["+grpc", "-grpc"]


async def test_consumers_start_and_end_together() -> None:
    class Pair(Part):
        """Starts, and ends, only when its twin does so too."""

        gates = (asyncio.Barrier(2), asyncio.Barrier(2))

        async def start(self) -> None:
            await self.gates[0].wait()

        async def stop(self) -> None:
            await self.gates[1].wait()
            await super().stop()

    said: list[str] = []
    lifecycle = Lifecycle(drain_seconds=5)
    for name in ("left", "right"):
        lifecycle.add(Pair(name, said), name, Stage.CONSUMER)
    async with lifecycle.lived(pytest.fail):
        await until(telemetry.health.ready)
    assert sorted(said) == ["-left", "-right"]
