"""From `python -m` to the exit code."""

import asyncio
import gc
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import NoReturn

import telemetry
from messaging.application import application

from service.addresses import CannotStart
from service.admin import Admin
from service.app import App
from service.lifecycle import Lifecycle
from service.settings import AnySettings, WrongSettings, read

EXIT_CANNOT_START = 1
EXIT_WRONG_SETTINGS = 2


def run(
    name: str,
    settings: type[AnySettings],
    build: Callable[[App[AnySettings]], object],
    *,
    roles: Sequence[str] = (),
) -> NoReturn:
    """Runs a service until SIGTERM or SIGINT, and exits.

    Args:
        name: the service, as topics.yaml and the charts have it.
        settings: read from the environment.
        build: wires the service; it runs inside the event loop and starts nothing.
        roles: the parts that processes of this service can play; the setting ROLES chooses.

    With PREPARE_SECONDS it creates the indexes of all roles that it is to play, says so in a line on
    stdout, and ends; that needs neither a broker nor a port.

    The exit code is 0 after a drain or with the indexes there, 1 when the process cannot run here, such
    as when a port is in use, and 2 when settings are wrong; either is said in a line each on stderr.
    """
    try:
        told = read(settings)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_live(name, told, build, roles))
    except WrongSettings as error:
        _exit(name, error, EXIT_WRONG_SETTINGS)
    except CannotStart as error:
        _exit(name, error, EXIT_CANNOT_START)
    sys.exit(0)


async def _live(
    name: str, settings: AnySettings, build: Callable[[App[AnySettings]], object], roles: Sequence[str]
) -> None:
    release = _version(name)
    with telemetry.start(
        name,
        version=release,
        otlp_endpoint=settings.otlp_endpoint,
        sample_ratio=settings.trace_sample_ratio,
        log_level=settings.log_level,
    ):
        lifecycle = Lifecycle(drain_seconds=settings.drain_seconds, lame_duck_seconds=settings.lame_duck_seconds)
        app = App(name, settings, lifecycle, roles)
        build(app)
        if settings.prepare_seconds is not None:
            await app.prepare(settings.prepare_seconds)
            sys.stdout.write(f"{name}: the indexes are there\n")
            return
        app.assemble()
        collect_seldom()
        admin = Admin(settings.admin_address)
        await admin.start()
        try:
            life = application(lambda: lifecycle.lived(life.exit))
            await life.run()
        finally:
            await admin.stop()


def collect_seldom() -> None:
    """Sets the garbage collector for a process that is wired and will run for long.

    What is imported and wired stays, so the collector need not look at it: 0.2 s each time else. What is made for
    a call or an event goes with its last reference; the collector is for cycles, and looking for them at each 700
    new objects, as is usual, takes a quarter of what settling an event costs.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The factory of uvloop where that is installed, else the standard one."""
    try:
        import uvloop  # noqa: PLC0415 - there is none for some platforms
    except ImportError:
        return None
    return uvloop.new_event_loop


def _version(name: str) -> str:
    try:
        return version(f"rossio-{name}")
    except PackageNotFoundError:
        return "0"


def _exit(name: str, error: Exception, code: int) -> NoReturn:
    for line in str(error).splitlines():
        sys.stderr.write(f"{name}: {line}\n")
    sys.exit(code)
