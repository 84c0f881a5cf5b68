"""OpenLink: a file, or a range of it, for whoever holds a link to it."""

from dataclasses import dataclass

from errors import Conflict, NotAllowed
from telemetry import points

from document.application import effects
from document.application.download import Opening, opening
from document.application.ports import Content, Directory, Links, Nodes, Passwords
from document.domain.deeds import Deed, Verb
from document.domain.links import MAX_GUESSES, Link, check_reaches, no_link, taken_apart
from document.domain.node import Act, Node

_ATTEMPTS = 64
"""Each one that fails is somebody else's use."""


@dataclass(frozen=True, slots=True)
class OpenLink:
    """The use case."""

    nodes: Nodes
    links: Links
    passwords: Passwords
    directory: Directory
    content: Content

    async def __call__(self, act: Act, text: str, password: str, *, offset: int, length: int) -> Opening:
        """The current content from `offset` on for `length` bytes (0: to the end); counted as one use.

        A repeated request is the same use for an hour, so that what broke off can be taken up.

        Raises:
            NotFound: there is no such link, or it leads nowhere any more.
            NotAllowed: LINK_EXPIRED, LINK_REVOKED, LINK_CLOSED, LINK_PASSWORD.
            Exhausted: LINK_USED_UP.
        """
        link_id, token = taken_apart(text)
        link = await self._open(link_id, token, act)
        await self._check_password(link, password)
        for _ in range(_ATTEMPTS):
            node = await self._reached(link)
            found = opening(self.content, node, number=0, offset=offset, length=length)
            if link.continues(act) or await self._counted(link, node, act):
                return found
            link = await self._open(link_id, token, act)
        raise effects.busy()

    async def _open(self, link_id: str, token: str, act: Act) -> Link:
        link = await self.links.find(link_id)
        if link is None or not link.opens_with(token):
            raise no_link()
        link.check_open(act)
        return link

    async def _check_password(self, link: Link, password: str) -> None:
        if not link.password_hash:
            return
        if not password:
            raise NotAllowed("the link asks for a password", reason="LINK_PASSWORD")
        if not await self.links.guess(link.link_id, MAX_GUESSES):
            raise NotAllowed("too many wrong passwords: ask for another link", reason="LINK_CLOSED")
        if not await self.passwords.match(password, link.password_hash):
            raise NotAllowed("the password is another one", reason="LINK_PASSWORD")
        await self.links.guessed(link.link_id)

    async def _reached(self, link: Link) -> Node:
        path = await self.nodes.path(link.node_id)
        if not self.directory.knows(link.maker.grantee):
            raise no_link()
        check_reaches(link, path, self.directory.subject_of(link.maker.grantee, link.maker.entity_id))
        return path[-1]

    async def _counted(self, link: Link, node: Node, act: Act) -> bool:
        """Whether this was counted; if not, the link is another one by now."""
        try:
            await self.links.use(link, node, Deed(Verb.USE_LINK, act, link_id=link.link_id))
        except Conflict as conflict:
            if conflict.reason != "STALE":
                raise
            return False
        points.reached("document.link.used")
        return True
