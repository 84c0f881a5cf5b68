"""A Dovecot on loopback: LMTP in, IMAP out; every user has a mailbox there, and one password."""

import imaplib
import os
import shutil
from pathlib import Path

from devstack.program import LOOPBACK, Missing, Program, free_port, listens

PASSWORD = "of-the-test"
_NOBODY = 65534

_CONFIGURATION = """\
base_dir = {folder}/run
state_dir = {folder}/state
instance_name = {folder}
protocols = imap lmtp
listen = 127.0.0.1
log_path = /dev/stderr
ssl = no
disable_plaintext_auth = no
first_valid_gid = 1
mail_location = maildir:{folder}/mail/%u
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={nobody} gid={nobody} home={folder}/mail/%u allow_all_users=yes
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
service stats {{
  client_limit = 100
}}
"""


class Dovecot(Program):
    """Needs root, as Dovecot does to give each mailbox its owner."""

    def __init__(self, folder: Path) -> None:
        super().__init__("dovecot", folder)
        self.lmtp, self._imap = free_port(), free_port()

    def command(self) -> list[str | Path]:
        server = shutil.which("dovecot", path=f"{os.environ['PATH']}:/usr/sbin")
        if server is None or not Path("/usr/lib/dovecot/lmtp").exists() or os.geteuid() != 0:
            raise Missing("Dovecot is missing, or this is not root: apt-get install dovecot-imapd dovecot-lmtpd")
        mail = self.folder / "mail"
        mail.mkdir(parents=True, exist_ok=True)
        for folder in (self.folder, mail):
            folder.chmod(0o755)
        os.chown(mail, _NOBODY, _NOBODY)
        configuration = self.folder / "dovecot.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                folder=self.folder, password=PASSWORD, nobody=_NOBODY, imap=self._imap, lmtp=self.lmtp
            )
        )
        return [server, "-F", "-c", configuration]

    def ready(self) -> bool:
        return listens(self._imap) and listens(self.lmtp)

    def letters(self, user: str, marker: bytes) -> list[bytes]:
        """The mails with the marker that an IMAP client sees in the user's inbox."""
        with imaplib.IMAP4(LOOPBACK, self._imap, timeout=30) as client:
            client.login(user, PASSWORD)
            client.select(readonly=True)
            _, (found,) = client.search(None, "HEADER", "X-Mark", marker.decode())
            letters = [client.fetch(number.decode(), "(BODY.PEEK[])")[1][0] for number in found.split()]
        return [letter[1] for letter in letters if isinstance(letter, tuple)]
