"""CreateLink, ListLinks and RevokeLink: for the managers of a file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from errors import Conflict
from telemetry import points

from document.application import effects
from document.application.access import open_node
from document.application.ports import Links, Nodes, Passwords, Position
from document.domain.deeds import Deed, Verb
from document.domain.links import Link, new_link, no_link, token_of, written_out
from document.domain.node import Act, Node
from document.domain.permissions import Role, Subject

_ATTEMPTS = 16


@dataclass(frozen=True, slots=True)
class Wanted:
    """`max_uses` 0: any number; `password` empty: none."""

    expires_at: datetime
    max_uses: int
    password: str


@dataclass(frozen=True, slots=True)
class CreateLink:
    """The use case; `random` gives so many bytes that nobody can guess, `url` is what a browser finds links behind."""

    nodes: Nodes
    links: Links
    passwords: Passwords
    random: Callable[[int], bytes]
    url: str

    async def __call__(self, act: Act, request_id: str, node_id: str, wanted: Wanted) -> tuple[Link, str]:
        """The link, and what it reads as, which nobody is told later; the same for a repeated request."""
        opened = await open_node(self.nodes, act.subject, node_id, Role.MANAGER)
        made = await self.links.find(act.act_id)
        if made is None:
            link = await self._new(act, request_id, opened.path, wanted)
            try:
                await self.links.add(link, opened.node, Deed(Verb.CREATE_LINK, act, link_id=link.link_id))
            except Conflict:  # the same request, beside this one
                link = await self.links.find(act.act_id) or link
            points.reached("document.link.created")
            made = link
        return made, written_out(made, token_of(made.salt, request_id))

    async def _new(self, act: Act, request_id: str, path: Sequence[Node], wanted: Wanted) -> Link:
        salt = self.random(32)
        link = new_link(
            act, path, wanted.expires_at, max_uses=wanted.max_uses, salt=salt, token=token_of(salt, request_id)
        )
        return replace(link, password_hash=await self.passwords.hashed(wanted.password)) if wanted.password else link


async def list_links(
    nodes: Nodes, links: Links, subject: Subject, node_id: str, after: Position | None, limit: int
) -> tuple[Sequence[Link], Position | None]:
    await open_node(nodes, subject, node_id, Role.MANAGER)
    return await links.of_node(node_id, after, limit)


async def revoke_link(nodes: Nodes, links: Links, act: Act, node_id: str, link_id: str) -> None:
    """From the next use on the link does not hold."""
    opened = await open_node(nodes, act.subject, node_id, Role.MANAGER)
    for _ in range(_ATTEMPTS):
        link = await links.find(link_id)
        if link is None or link.node_id != node_id:
            raise no_link()
        if link.revoked:
            return None
        try:
            return await links.revoke(link, opened.node, Deed(Verb.REVOKE_LINK, act, link_id=link_id))
        except Conflict as conflict:
            if conflict.reason != "STALE":
                raise
    raise effects.busy()
