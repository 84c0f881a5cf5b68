"""Maildirs: durable, and once, however often a mail is delivered."""

import asyncio
import errno
import mailbox
from collections.abc import Iterator
from pathlib import Path

import pytest
from mail_routing.adapters.maildir import Maildir
from mail_routing.application.ports import MailboxMail
from mail_routing.domain.delivery import State
from testkit.small_disk import NoDisk, SmallDisk, small_disk

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
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    try:
        with small_disk(tmp_path / "disk", 512) as mounted:
            yield mounted
    except NoDisk as lack:
        pytest.skip(str(lack))


async def test_a_full_disk_defers_leaves_no_half_and_takes_the_mail_when_there_is_room(disk: SmallDisk) -> None:
    maildir = Maildir(disk.folder)
    large = MailboxMail("ea/ana", "2.m2.rossio", b"x" * 150 * 1024)
    disk.fill()
    for mail in (large, MAIL):
        result = await maildir.deliver(mail)
        assert (result.state, result.status) == (State.DEFERRED, "4.3.1")
    assert not list((disk.folder / "ea").glob("*/*/*"))
    disk.free()
    for mail in (large, MAIL):
        assert (await maildir.deliver(mail)).state is State.DELIVERED
        assert (disk.folder / "ea" / "ana" / "new" / mail.name).read_bytes() == mail.content
