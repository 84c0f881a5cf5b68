"""Programs that others wrote, as tests run them."""

import asyncio
import os
import shutil

import pytest


def lacking(program: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(f"{program} is missing: apt-get install {program}", pytrace=False)
    pytest.skip(f"{program} is not installed")


async def run_program(*command: str, data: bytes = b"") -> str:
    path = shutil.which(command[0], path=f"{os.environ['PATH']}:/usr/sbin")
    if path is None:
        lacking(command[0] if command[0] == "swaks" else "postfix")
    assert path is not None
    process = await asyncio.create_subprocess_exec(
        path,
        *command[1:],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate(data)
    if b"requires Net::SSLeay" in output:
        lacking("libnet-ssleay-perl")
    assert process.returncode == 0, output.decode(errors="replace")
    return output.decode(errors="replace")
