"""Mailboxes as Maildirs (https://cr.yp.to/proto/maildir.html), below one root: `<entity>/<person>/{tmp,new,cur}`.

A mail's name follows from the mail, so that delivering it again finds it there, also after a mail program has
moved it from new to cur. What was deleted in the moment between a crash and the repeat comes back.
"""

import asyncio
import errno
import os
import re
from collections.abc import Sequence
from pathlib import Path

import telemetry
from store import Grouped

from mail_routing.application.ports import MailboxMail
from mail_routing.domain.delivery import Result, State
from mail_routing.domain.message import MessageClass

_DELIVERED = Result(State.DELIVERED, "2.0.0", "In the mailbox")
_FULL = Result(State.DEFERRED, "4.3.1", "The mailbox has no room")
_TROUBLE = Result(State.DEFERRED, "4.3.0", "The mailbox cannot be written")
_FULL_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT})
_MAILBOX = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*/[A-Za-z0-9_][A-Za-z0-9._-]*")


class Maildir:
    """`Mailboxes` in a folder; durable (fsync of file and folder) when `deliver` returns."""

    def __init__(self, root: Path) -> None:
        self._root = root
        # Each class in groups of its own: an urgent mail waits for no bulk.
        self._deliver_all = {lane: Grouped(self._in_thread, most=200, lanes=2) for lane in MessageClass}

    async def deliver(self, mail: MailboxMail) -> Result:
        return await self._deliver_all[mail.lane](mail)

    async def _in_thread(self, mails: Sequence[MailboxMail]) -> Sequence[Result]:
        return await asyncio.to_thread(lambda: [self._deliver(mail) for mail in mails])

    def _deliver(self, mail: MailboxMail) -> Result:
        if not _MAILBOX.fullmatch(mail.mailbox):
            return Result(State.BOUNCED, "5.2.0", "The mailbox has no usable name")
        try:
            self._put(self._root / mail.mailbox, mail)
        except OSError as error:
            return _FULL if error.errno in _FULL_ERRORS else _TROUBLE
        return _DELIVERED

    def _put(self, box: Path, mail: MailboxMail) -> None:
        new, current, temporary = box / "new", box / "cur", box / "tmp"
        if not new.is_dir():
            for folder in (temporary, current, new):
                folder.mkdir(parents=True, exist_ok=True)
        elif (new / mail.name).exists() or any(path.name.startswith(mail.name) for path in current.iterdir()):
            return
        draft = temporary / mail.name
        try:
            with draft.open("wb") as file:
                file.write(mail.content)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            draft.unlink(missing_ok=True)  # a full disk is not made fuller by what did not fit
            raise
        telemetry.points.reached("mail.maildir.written")
        draft.rename(new / mail.name)
        folder_fd = os.open(new, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder_fd)
        finally:
            os.close(folder_fd)
        telemetry.points.reached("mail.maildir.delivered")
