"""Use cases: alerts come in and go out as CAP 1.2."""

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import telemetry
from errors import Conflict, Invalid, NotFound
from rpc import Caller

from news.application.audiences import Audiences
from news.application.editing import Editing
from news.application.get_post import GetPost
from news.application.ports import Change, Posts
from news.domain import cap
from news.domain.alert import Alert
from news.domain.content import Content
from news.domain.post import Post, State
from news.domain.text import Variant

_NO_TEXT: Final = "-"


@dataclass(frozen=True, slots=True)
class ExchangeAlerts:
    posts: Posts
    edit: Editing
    get: GetPost
    audiences: Audiences
    # Our own `sender` in CAP.
    sender: str

    async def export(self, caller: Caller, post_id: str) -> str:
        """The alert that the caller sees, as XML.

        Raises:
            NotFound: the caller does not see the post.
            Invalid: it is no alert, or was never published.
        """
        post = (await self.get(caller, post_id)).post
        if post.live is None or post.live.content.alert is None:
            raise Invalid("the post is no published alert", reason="NO_ALERT")
        return cap.write(_message(post, self.sender))

    async def take(
        self, caller: Caller, text: str, audience: str, *, confirmed: bool, request: str, at: datetime
    ) -> Post:
        """Publishes an alert, replaces what an update refers to, retracts what a cancellation refers to.

        It waits for no approval. The post's id follows from sender and identifier, so that the same message is
        one post however often it comes.

        Raises:
            Invalid: it breaks the standard, is no actual alert, or as `Post.published` says.
            NotFound: nothing that a cancellation refers to is here.
        """
        message = cap.read(text)
        if message.status != "Actual":
            raise Invalid("only actual alerts are published", reason="ALERT_NOT_ACTUAL", status=message.status)
        match message.kind:
            case "Alert" | "Update":
                post = await self._publish(caller, message, audience, confirmed=confirmed, request=request, at=at)
                await self._retract(caller, message, at)
                return post
            case "Cancel":
                retracted = await self._retract(caller, message, at)
                if retracted is None:
                    raise NotFound("nothing that it refers to is here", reason="POST_NOT_FOUND")
                return retracted
            case _:
                raise Invalid("acknowledgements and errors are not for people", reason="ALERT_KIND", kind=message.kind)

    async def _publish(
        self, caller: Caller, message: cap.Message, audience: str, *, confirmed: bool, request: str, at: datetime
    ) -> Post:
        expression = self.audiences.canonical(audience)
        people = self.audiences.evaluate(expression)
        post = Post(
            post_id=_post_id(caller, message.sender, message.identifier),
            entity_id=caller.entity_id,
            author_id=caller.subject,
            content=_content(message, expression),
            editors=(caller.subject,),
            audience_size=len(people),
            request=request,
        )
        # Checked before it is stored, so that what is refused leaves nothing behind.
        published = replace(post.published(people, self.audiences.everybody, at, confirmed=confirmed), request=request)
        try:
            await self.posts.add(post, Change("create", caller, at))
        except Conflict:
            held = await self.posts.get(post.post_id)
            if held.state is not State.DRAFT:
                return held
        telemetry.points.reached("news.alert.stored")
        saved = await self.posts.replace(published, Change("publish", caller, at), version=post.version)
        self.edit.feed.put(saved)
        telemetry.points.reached("news.alert.published")
        return saved

    async def _retract(self, caller: Caller, message: cap.Message, at: datetime) -> Post | None:
        """Takes back what the message refers to, as far as it is here; the last of it."""
        retracted = None
        for reference in message.references:
            sender, identifier, _ = reference.split(",")
            post_id = _post_id(caller, sender, identifier)
            change = Change("retract", caller, at, f"{message.kind}: {message.name}")
            try:
                retracted = await self.edit(post_id, change, Post.retracted, request=f"cap-{message.identifier}")
            except (NotFound, Conflict):
                continue  # never seen here, or taken back before
        return retracted


def _post_id(caller: Caller, sender: str, identifier: str) -> str:
    return hashlib.sha256(f"{caller.entity_id},{sender},{identifier}".encode()).hexdigest()[:32]


def _content(message: cap.Message, audience: str) -> Content:
    if not message.infos:
        raise Invalid("an alert without a text is not for people", reason="NO_VARIANT")
    first = message.infos[0]
    by_language = {info.language.lower(): info for info in reversed(message.infos)}
    ends = [info.expires for info in message.infos if info.expires]
    return Content(
        variants=tuple(
            Variant.of(info.language, info.headline[:200], _as_markdown(info.text or info.headline))
            for info in reversed(by_language.values())
        ),
        audience=audience,
        pinned=True,
        expire_at=max(ends).astimezone(UTC) if ends else None,
        alert=Alert(
            category=first.category,
            urgency=first.urgency,
            severity=first.severity,
            certainty=first.certainty,
            event=first.event,
            area=first.area or _NO_TEXT,
            source=message.name,
        ),
    )


def _as_markdown(text: str) -> str:
    """What others wrote is text: none of it is a link, an image or a tag."""
    return "".join(f"\\{each}" if each in "\\`*_{}[]<>()#+-!|&~" else each for each in text)


def _message(post: Post, sender: str) -> cap.Message:
    live = post.live
    assert live is not None
    alert = live.content.alert
    assert alert is not None
    earlier = tuple(
        f"{sender},{post.post_id}.{version},{sent.isoformat(timespec='seconds')}"
        for version, sent in enumerate(live.earlier, start=1)
    )
    return cap.Message(
        identifier=f"{post.post_id}.{live.text_version}",
        sender=sender,
        sent=live.published_at,
        status="Actual",
        kind="Update" if earlier else "Alert",
        scope="Restricted",
        restriction=live.content.audience,
        references=earlier,
        infos=tuple(
            cap.Info(
                language=variant.locale,
                category=alert.category,
                event=alert.event,
                urgency=alert.urgency,
                severity=alert.severity,
                certainty=alert.certainty,
                headline=variant.title,
                text=variant.body,
                area=alert.area,
                expires=live.content.expire_at,
            )
            for variant in live.content.variants
        ),
    )
