"""FastStream's life cycle around a service."""

import asyncio
import os
import signal
from contextlib import asynccontextmanager

import pytest
from messaging.application import application


@pytest.mark.parametrize("how", ["signal", "exit"])
async def test_it_lives_from_start_to_the_signal_without_a_broker(how):
    steps = []

    @asynccontextmanager
    async def lifespan():
        steps.append("started")
        asyncio.get_running_loop().call_soon(end)
        yield
        steps.append("stopped")

    def end():
        if how == "signal":
            os.kill(os.getpid(), signal.SIGTERM)
        else:
            app.exit()

    app = application(lifespan)
    await asyncio.wait_for(app.run(), 20)
    assert steps == ["started", "stopped"]
