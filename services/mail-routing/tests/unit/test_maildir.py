"""Maildirs: durable, and once, however often a mail is delivered."""

import asyncio
import errno
import mailbox
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from mail_routing.adapters.maildir import Maildir
from mail_routing.application.ports import MailboxMail
from mail_routing.domain.delivery import State

MAIL = MailboxMail("ea/ana", "1.m1.rossio", b"Subject: x\r\n\r\nbody\r\n")


async def test_a_mail_program_reads_it(tmp_path: Path) -> None:
    assert (await Maildir(tmp_path).deliver(MAIL)).state is State.DELIVERED
    (message,) = mailbox.Maildir(tmp_path / "ea" / "ana", create=False)
    assert message["Subject"] == "x"
    assert not list((tmp_path / "ea" / "ana" / "tmp").iterdir())


async def test_a_repeat_is_not_a_second_mail_even_after_it_was_read(tmp_path: Path) -> None:
    maildir = Maildir(tmp_path)
    await asyncio.gather(*(maildir.deliver(MAIL) for _ in range(5)))
    box = tmp_path / "ea" / "ana"
    (box / "new" / MAIL.name).rename(box / "cur" / f"{MAIL.name}:2,S")
    await maildir.deliver(MAIL)
    assert [path.name for path in box.glob("*/*")] == [f"{MAIL.name}:2,S"]


async def test_a_draft_that_a_crash_left_is_overwritten(tmp_path: Path) -> None:
    draft = tmp_path / "ea" / "ana" / "tmp" / MAIL.name
    draft.parent.mkdir(parents=True)
    draft.write_bytes(b"half")
    await Maildir(tmp_path).deliver(MAIL)
    assert (tmp_path / "ea" / "ana" / "new" / MAIL.name).read_bytes() == MAIL.content


@pytest.mark.parametrize(
    ("number", "status"), [(errno.ENOSPC, "4.3.1"), (errno.EDQUOT, "4.3.1"), (errno.EACCES, "4.3.0")]
)
async def test_trouble_with_the_disk_is_a_deferral(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, status: str
) -> None:
    def full(self: Path, *args: object, **kwargs: object) -> None:
        raise OSError(number, "no")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "mkdir", full)
        result = await Maildir(tmp_path).deliver(MAIL)
    assert (result.state, result.status) == (State.DEFERRED, status)


@pytest.mark.parametrize("name", ["../x", "ea/..", "ea", "/etc/x", "ea/ana/x", "ea/"])
async def test_no_mailbox_is_outside_of_the_root(tmp_path: Path, name: str) -> None:
    result = await Maildir(tmp_path / "root").deliver(MailboxMail(name, "n", b""))
    assert (result.state, result.status) == (State.BOUNCED, "5.2.0")
    assert not list(tmp_path.rglob("n"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "rossio", folder], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("this machine does not let us mount a small disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


async def test_a_full_disk_defers_leaves_no_half_and_takes_the_mail_when_there_is_room(small_disk: Path) -> None:
    maildir = Maildir(small_disk)
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * 120 * 1024)
    large = MailboxMail("ea/ana", "2.m2.rossio", b"x" * 150 * 1024)
    result = await maildir.deliver(large)
    assert (result.state, result.status) == (State.DEFERRED, "4.3.1")
    assert not list((small_disk / "ea").glob("*/*/*"))
    assert (await maildir.deliver(MAIL)).state is State.DELIVERED
    filler.unlink()
    assert (await maildir.deliver(large)).state is State.DELIVERED
    assert (small_disk / "ea" / "ana" / "new" / large.name).read_bytes() == large.content
