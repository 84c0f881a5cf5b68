"""The server's side of one SMTP connection as a pure state machine: bytes in, actions out.

However the input is cut into pieces, it is understood the same. The machine awaits nothing: when an action
needs the world (taking a mail in, starting TLS) it stops reading until it is told how that ended.
"""

from typing import TYPE_CHECKING

from mail_routing.domain.message import sound
from mail_routing.entrypoints.smtp import grammar, sasl
from mail_routing.entrypoints.smtp.actions import (
    Accept,
    Action,
    Authenticate,
    Close,
    Judge,
    Limits,
    StartTls,
    Transaction,
    said,
)
from mail_routing.entrypoints.smtp.grammar import Refused, Reply

if TYPE_CHECKING:
    from collections.abc import Callable


_END = b"\r\n.\r\n"
_OK = Reply(250, "2.0.0", "Ok")
_RECIPIENT_OK = Reply(250, "2.1.5", "Ok")
_ORDER = Reply(503, "5.5.1", "Commands came in the wrong order")
_TOO_LONG = Reply(500, "5.5.2", "The line is too long")
_TOO_LARGE = Reply(552, "5.3.4", "The mail is larger than we take")
_TOO_MANY_MAILS = Reply(421, "4.7.0", "Enough mails for one connection")
_BAD_LINE = Reply(521, "5.5.2", "Lines end in CR LF; bare CR, bare LF and NUL are refused")
_BAD_CONTENT = Reply(550, "5.6.0", "The mail has a bare CR, a bare LF or a NUL")


class Session:
    """Feed it with `receive` and carry out what it returns, in that order."""

    def __init__(
        self,
        hostname: str,
        limits: Limits,
        judge: Judge,
        *,
        offer_tls: bool = False,
        secure: bool = False,
        offer_auth: bool = False,
    ) -> None:
        self.client_name = ""
        self.extended = False
        self.secure = secure
        self.known = False  # who speaks has authenticated
        self._hostname = hostname
        self._limits = limits
        self._judge = judge
        self._offer_tls = offer_tls
        self._offer_auth = offer_auth
        self._mechanism: sasl.Mechanism | None = None
        self._buffer = bytearray()
        self._scanned = 0  # octets of the buffer known to hold no end of the line or of the data
        self._transaction: Transaction | None = None
        self._spoiled: Reply | None = None  # why the data being read will be refused at their end
        self._chunk = 0  # octets of the BDAT chunk still to come
        self._last = False
        self._mistakes = 0
        self.mistakes = 0  # all of this connection
        self._refused_recipients = 0
        self._mails = 0
        self._actions: list[Action] = []
        self._mode: Callable[[], None] | None = self._read_command
        self._verbs: dict[str, Callable[[str], None]] = {
            "HELO": self._helo,
            "EHLO": self._ehlo,
            "MAIL": self._mail,
            "RCPT": self._rcpt,
            "DATA": self._data,
            "BDAT": self._bdat,
            "RSET": self._rset,
            "AUTH": self._auth,
            "NOOP": lambda _: self._say(_OK),
            "VRFY": lambda _: self._say(Reply(252, "2.1.5", "Send some mail, and we shall see")),
            "HELP": lambda _: self._say(Reply(214, "2.0.0", "RFC 5321")),
            "STARTTLS": self._starttls,
            "QUIT": lambda _: self._end(Reply(221, "2.0.0", "Bye")),
        }

    @property
    def buffered(self) -> int:
        """Octets held for this connection."""
        return len(self._buffer) + (len(self._transaction.content) if self._transaction else 0)

    @property
    def idle(self) -> bool:
        """Between mails: the connection may be closed and nothing is lost."""
        return self._transaction is None and self._mode is not None

    def greeting(self) -> bytes:
        return Reply(220, "", f"{self._hostname} ESMTP").encode()

    def receive(self, data: bytes) -> list[Action]:
        self._buffer += data
        return self._run()

    def answered(self, reply: Reply) -> list[Action]:
        """The mail of the last `Accept` was taken in, or not."""
        self._reset()
        self._mistakes = 0
        self._mails += 1
        self._mode = self._read_command
        self._say(reply)
        return self._run()

    def authenticated(self, judge: Judge) -> list[Action]:
        """The credentials of the last `Authenticate` are right; from now on `judge` says what is taken."""
        self.known, self._judge = True, judge
        self._mode = self._read_command
        self._say(Reply(235, "2.7.0", "Welcome"))
        return self._run()

    def refused(self, reply: Reply) -> list[Action]:
        """The credentials of the last `Authenticate` are not taken."""
        assert self._mechanism is not None
        if self._mechanism.says_why and reply.code == sasl.REFUSED.code:
            self._say(sasl.WHY)  # the client answers with an empty message, and then hears the reply
            self._mode = self._read_acknowledgement
        else:
            self._mode = self._read_command
            self._mistake(reply)
        return self._run()

    def secured(self) -> None:
        """TLS is up: what was said in clear is forgotten, unread octets too (RFC 3207 section 4.2)."""
        self._reset()
        self._buffer.clear()
        self._scanned = 0
        self.client_name, self.extended, self.secure = "", False, True
        self._mode = self._read_command

    def _run(self) -> list[Action]:
        before: tuple[Callable[[], None] | None, int] = (None, 0)
        while self._mode is not None and before != (self._mode, len(self._buffer)):
            before = (self._mode, len(self._buffer))
            self._mode()
        actions, self._actions = self._actions, []
        return actions

    # Modes: each takes what it can from the buffer, and leaves it as it is when more octets are needed.

    def _read_command(self) -> None:
        if (line := self._line()) is not None:
            self._command(line)

    def _read_response(self) -> None:
        if (line := self._line()) is not None:
            self._mode = self._read_command
            self._try(lambda: self._credentials(line.decode("ascii", "replace")))

    def _read_acknowledgement(self) -> None:
        if self._line() is not None:
            self._mode = self._read_command
            self._mistake(sasl.REFUSED)

    def _line(self) -> bytes | None:
        """The next line without its end; None when it is not there yet, or will not be read."""
        most = self._limits.command_octets
        if self._offer_auth and self.secure and not self.known:
            most = max(most, sasl.LONGEST_LINE)
        end = self._buffer.find(b"\n", self._scanned)
        self._scanned = len(self._buffer) if end < 0 else 0
        if end < 0 or end >= most:
            if len(self._buffer) > most:
                self._end(_TOO_LONG)
            return None
        line = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        if line.endswith(b"\r\n") and sound(line):
            return line[:-2]
        self._end(_BAD_LINE)  # whoever sends this disagrees with us on where lines end: nothing further is believed
        return None

    def _read_data(self) -> None:
        # `_data` has put a CR LF before the data: their first line begins as all others do.
        transaction = self._transaction
        assert transaction is not None
        end = self._buffer.find(_END, max(0, self._scanned - len(_END) + 1))
        if (len(self._buffer) - len(_END) if end < 0 else end) > self._limits.mail_octets:
            self._spoiled = _TOO_LARGE
        if end < 0:
            if self._spoiled:
                del self._buffer[: -len(_END) + 1]
            self._scanned = len(self._buffer)
            return
        if self._spoiled is None:
            lines = self._buffer[: end + 2]
            if sound(lines):  # the client put a dot before each line that begins with one
                transaction.content = lines.replace(b"\r\n.", b"\r\n")[2:]
            else:
                self._spoiled = _BAD_CONTENT
        del self._buffer[: end + len(_END)]
        self._scanned = 0
        self._data_complete(transaction)

    def _read_chunk(self) -> None:
        taken = self._buffer[: self._chunk]
        del self._buffer[: len(taken)]
        self._chunk -= len(taken)
        transaction = self._transaction
        if transaction is not None:
            transaction.content += taken
            if len(transaction.content) > self._limits.mail_octets:
                self._spoiled = _TOO_LARGE
                transaction.content.clear()
        if self._chunk:
            return
        self._mode = self._read_command
        if transaction is None:
            self._mistake(_ORDER)
        elif not self._last:
            self._say(self._spoiled or _OK)
        else:
            if not sound(transaction.content):
                self._spoiled = self._spoiled or _BAD_CONTENT
            self._data_complete(transaction)

    def _data_complete(self, transaction: Transaction) -> None:
        if self._spoiled:
            self._mode = self._read_command
            self._mistake(self._spoiled)
            self._reset()
        else:
            self._mode = None
            self._actions.append(Accept(transaction))

    # Commands.

    def _command(self, line: bytes) -> None:
        try:
            verb, _, argument = line.decode().partition(" ")
        except UnicodeDecodeError:
            self._mistake(Reply(500, "5.5.2", "Not UTF-8"))
            return
        self._try(lambda: self._verbs.get(verb.upper(), self._unknown)(argument))

    def _try(self, work: "Callable[[], None]") -> None:
        try:
            work()
        except Refused as refused:
            self._mistake(refused.reply)

    def _unknown(self, _argument: str) -> None:
        raise Refused(Reply(500, "5.5.1", "The command is not known"))

    def _helo(self, argument: str) -> None:
        self.client_name, self.extended = grammar.hello(argument), False
        self._reset()
        self._say(Reply(250, "", self._hostname))

    def _ehlo(self, argument: str) -> None:
        self.client_name, self.extended = grammar.hello(argument), True
        self._reset()
        size = f"SIZE {self._limits.mail_octets}"
        offers = [self._hostname, "PIPELINING", size, "ENHANCEDSTATUSCODES", "8BITMIME", "SMTPUTF8", "CHUNKING", "DSN"]
        if self._offer_tls and not self.secure:
            offers.append("STARTTLS")
        if self._offer_auth and self.secure:
            offers.append("AUTH " + " ".join(sasl.MECHANISMS))
        self._say(Reply(250, "", "\n".join(offers)))

    def _mail(self, argument: str) -> None:
        if not self.client_name or self._transaction is not None:
            raise Refused(_ORDER)
        if self._mails >= self._limits.mails:
            self._end(_TOO_MANY_MAILS)
            return
        mail = grammar.mail(argument)
        refusal = _TOO_LARGE if mail.size > self._limits.mail_octets else self._judge.sender(mail)
        if refusal is None:
            self._transaction = Transaction(mail)
        self._say(refusal or Reply(250, "2.1.0", "Ok"))

    def _rcpt(self, argument: str) -> None:
        transaction = self._transaction
        if transaction is None or transaction.chunked:
            raise Refused(_ORDER)
        mail, taken = transaction.mail, transaction.recipients
        recipient = grammar.rcpt(argument, smtputf8=mail.smtputf8, postmaster=f"postmaster@{self._hostname}")
        refusal = None
        if recipient.address not in taken:
            if len(taken) >= self._limits.recipients:
                refusal = Reply(452, "4.5.3", "Too many recipients; send to these first")
            else:
                refusal = self._judge.recipient(mail, recipient.address)
        if refusal is None:
            taken[recipient.address] = recipient
        self._say(refusal or _RECIPIENT_OK)
        if refusal is not None and refusal.code >= 500:
            self._refused_recipients += 1
            if self._refused_recipients >= self._limits.refused_recipients:
                self._end(Reply(421, "4.7.0", "Too many recipients were refused"))

    def _data(self, argument: str) -> None:
        if argument:
            raise Refused(Reply(501, "5.5.4", "DATA takes no argument"))
        if self._transaction is None or self._transaction.chunked:
            raise Refused(_ORDER)
        if not self._transaction.recipients:
            raise Refused(Reply(554, "5.5.1", "No recipient was taken"))
        self._mode = self._read_data
        self._buffer[:0] = b"\r\n"
        self._say(Reply(354, "", "End the mail with a dot on its own line"))

    def _bdat(self, argument: str) -> None:
        self._chunk, self._last = grammar.bdat(argument)
        if self._chunk > self._limits.mail_octets:
            self._end(_TOO_LARGE)
            return
        # The chunk is read whatever we think of the command: the client has sent it already.
        self._mode = self._read_chunk
        if self._transaction is not None and self._transaction.recipients:
            self._transaction.chunked = True
        else:
            self._transaction = None

    def _rset(self, _argument: str) -> None:
        self._reset()
        self._say(_OK)

    def _starttls(self, argument: str) -> None:
        if argument:
            raise Refused(Reply(501, "5.5.4", "STARTTLS takes no argument"))
        if not self._offer_tls or self.secure:
            raise Refused(Reply(502, "5.5.1", "TLS is not offered"))
        self._mode = None
        self._say(Reply(220, "2.0.0", "Go ahead"))
        self._actions.append(StartTls())

    def _auth(self, argument: str) -> None:
        if not self._offer_auth:
            raise Refused(Reply(502, "5.5.1", "Authentication is not offered here"))
        if not self.secure:
            raise Refused(Reply(538, "5.7.11", "Start TLS first"))
        if not self.extended or self.known or self._transaction is not None:
            raise Refused(_ORDER)
        name, _, initial = argument.partition(" ")
        self._mechanism = sasl.MECHANISMS.get(name.upper())
        if self._mechanism is None:
            raise Refused(Reply(504, "5.5.4", "The mechanism is not known"))
        if initial:
            self._credentials("" if initial == "=" else initial)
        else:
            self._mode = self._read_response
            self._say(Reply(334, "", ""))

    def _credentials(self, response: str) -> None:
        assert self._mechanism is not None
        credentials = self._mechanism.read(sasl.decoded(response))
        self._mode = None
        self._actions.append(Authenticate(credentials))

    # What they share.

    def _reset(self) -> None:
        self._transaction = None
        self._spoiled = None

    def _say(self, reply: Reply) -> None:
        self._actions.append(said(reply))

    def _mistake(self, reply: Reply) -> None:
        self._mistakes += 1
        self.mistakes += 1
        self._say(reply)
        if self._mistakes >= self._limits.mistakes:
            self._end(Reply(421, "4.7.0", "Too many mistakes"))

    def _end(self, reply: Reply) -> None:
        self._mode = None
        self._buffer.clear()
        self._say(reply)
        self._actions.append(Close())
