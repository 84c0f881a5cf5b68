# ruff: noqa: ARG002, N802 - the contract names the methods and their parameters
"""rossio.news.v1.NewsService: each method is wire, use case, wire."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import rpc
from rossio.news.v1 import service_pb2 as pb
from rossio.news.v1.service_pb2_grpc import NewsServiceServicer
from service import now

from news.adapters import wire
from news.application.acknowledge import Acknowledge
from news.application.create_post import CreatePost
from news.application.delegate import Delegate
from news.application.download_roll import DownloadRoll
from news.application.end_post import EndPost
from news.application.exchange_alerts import ExchangeAlerts
from news.application.get_post import GetPost
from news.application.get_reach import GetReach
from news.application.get_roll_keys import GetRollKeys
from news.application.list_feed import ListFeed
from news.application.list_missing import ListMissing
from news.application.look_at_posts import LookAtPosts
from news.application.mark_read import MarkRead
from news.application.ports import Taste
from news.application.preview_audience import PreviewAudience
from news.application.publish_post import PublishPost
from news.application.review_post import ReviewPost
from news.application.schedule_post import SchedulePost
from news.application.set_taste import SetTaste
from news.application.submit_post import SubmitPost
from news.application.syndicate import Syndicate
from news.application.talk import Talk
from news.application.update_post import UpdatePost
from news.application.watch_feed import WatchFeed

# What goes into one message of a stream of lines.
_PART_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class UseCases:
    """What the service can do."""

    create: CreatePost
    update: UpdatePost
    preview: PreviewAudience
    submit: SubmitPost
    review: ReviewPost
    schedule: SchedulePost
    publish: PublishPost
    end: EndPost
    look: LookAtPosts
    get: GetPost
    feed: ListFeed
    watch: WatchFeed
    mark_read: MarkRead
    taste: SetTaste
    acknowledge: Acknowledge
    delegate: Delegate
    missing: ListMissing
    roll: DownloadRoll
    roll_keys: GetRollKeys
    reach: GetReach
    alerts: ExchangeAlerts
    syndicate: Syndicate
    talk: Talk


class NewsServicer(NewsServiceServicer):
    def __init__(self, use_cases: UseCases) -> None:
        self._do = use_cases

    # Editors and approvers

    async def CreatePost(self, request: pb.CreatePostRequest, context: Any) -> pb.CreatePostResponse:
        post = await self._do.create(rpc.caller(), wire.content(request), post_id=rpc.derived_id(), at=now())
        return pb.CreatePostResponse(post=wire.post_message(post))

    async def UpdatePost(self, request: pb.UpdatePostRequest, context: Any) -> pb.UpdatePostResponse:
        post = await self._do.update(
            rpc.caller(),
            request.post_id,
            wire.content(request),
            etag=request.etag,
            request=rpc.derived_id(),
            at=now(),
        )
        return pb.UpdatePostResponse(post=wire.post_message(post))

    async def PreviewAudience(self, request: pb.PreviewAudienceRequest, context: Any) -> pb.PreviewAudienceResponse:
        seen = self._do.preview(request.audience)
        return pb.PreviewAudienceResponse(
            size=seen.size, sample=seen.sample, audience=seen.audience, confirm=seen.confirm
        )

    async def SubmitPost(self, request: pb.SubmitPostRequest, context: Any) -> pb.SubmitPostResponse:
        post = await self._do.submit(
            rpc.caller(), request.post_id, etag=request.etag, request=rpc.derived_id(), at=now()
        )
        return pb.SubmitPostResponse(post=wire.post_message(post))

    async def ReviewPost(self, request: pb.ReviewPostRequest, context: Any) -> pb.ReviewPostResponse:
        post = await self._do.review(
            rpc.caller(),
            request.post_id,
            approve=request.approve,
            reason=request.reason,
            etag=request.etag,
            request=rpc.derived_id(),
            at=now(),
        )
        return pb.ReviewPostResponse(post=wire.post_message(post))

    async def SchedulePost(self, request: pb.SchedulePostRequest, context: Any) -> pb.SchedulePostResponse:
        post = await self._do.schedule(
            rpc.caller(),
            request.post_id,
            wire.time(request.publish_at),
            confirmed=request.confirm_audience,
            etag=request.etag,
            request=rpc.derived_id(),
            at=now(),
        )
        return pb.SchedulePostResponse(post=wire.post_message(post))

    async def PublishPost(self, request: pb.PublishPostRequest, context: Any) -> pb.PublishPostResponse:
        post = await self._do.publish(
            rpc.caller(),
            request.post_id,
            confirmed=request.confirm_audience,
            etag=request.etag,
            request=rpc.derived_id(),
            at=now(),
        )
        return pb.PublishPostResponse(post=wire.post_message(post))

    async def RetractPost(self, request: pb.RetractPostRequest, context: Any) -> pb.RetractPostResponse:
        post = await self._do.end.retract(
            rpc.caller(), request.post_id, reason=request.reason, request=rpc.derived_id(), at=now()
        )
        return pb.RetractPostResponse(post=wire.post_message(post))

    async def ArchivePost(self, request: pb.ArchivePostRequest, context: Any) -> pb.ArchivePostResponse:
        post = await self._do.end.archive(
            rpc.caller(), request.post_id, reason=request.reason, request=rpc.derived_id(), at=now()
        )
        return pb.ArchivePostResponse(post=wire.post_message(post))

    async def GetFindings(self, request: pb.GetFindingsRequest, context: Any) -> pb.GetFindingsResponse:
        found = await self._do.look.check(rpc.caller(), request.post_id)
        return pb.GetFindingsResponse(findings=map(wire.finding, found))

    async def GetHistory(self, request: pb.GetHistoryRequest, context: Any) -> pb.GetHistoryResponse:
        deeds, texts = await self._do.look.history(rpc.caller(), request.post_id, request.etag)
        return pb.GetHistoryResponse(deeds=map(wire.deed, deeds), variants=wire.variants(texts))

    async def ListPosts(self, request: pb.ListPostsRequest, context: Any) -> pb.ListPostsResponse:
        after = next(iter(rpc.read_page_token(request)), None)
        page = await self._do.look.of_state(
            rpc.caller(),
            wire.state(request.state),
            None if after is None else str(after),
            rpc.page_size(request, default=20, most=100),
        )
        token = rpc.page_token(request, page.after) if page.after else ""
        return pb.ListPostsResponse(posts=map(wire.post_message, page.posts), next_page_token=token)

    # Readers

    async def GetPost(self, request: pb.GetPostRequest, context: Any) -> pb.GetPostResponse:
        opened = await self._do.get(rpc.caller(), request.post_id)
        return pb.GetPostResponse(
            post=wire.post_message(opened.post), acknowledged=opened.acknowledged, read=opened.read
        )

    async def ListFeed(self, request: pb.ListFeedRequest, context: Any) -> pb.ListFeedResponse:
        page = await self._do.feed(
            rpc.caller(),
            wire.place(rpc.read_page_token(request)),
            rpc.page_size(request, default=20, most=100),
            category=request.category,
            followed_only=request.followed_only,
        )
        token = rpc.page_token(request, *wire.place_key(page.after)) if page.after else ""
        return pb.ListFeedResponse(items=map(wire.feed_item, page.items), next_page_token=token)

    async def WatchFeed(self, request: pb.WatchFeedRequest, context: Any) -> AsyncIterator[pb.WatchFeedResponse]:
        async for opened, at in self._do.watch(rpc.caller(), wire.resumed(request.resume_token)):
            yield pb.WatchFeedResponse(item=wire.feed_item(opened), resume_token=wire.resume_token(at))

    async def MarkRead(self, request: pb.MarkReadRequest, context: Any) -> pb.MarkReadResponse:
        await self._do.mark_read(rpc.caller(), request.post_ids)
        return pb.MarkReadResponse()

    async def GetTaste(self, request: pb.GetTasteRequest, context: Any) -> pb.GetTasteResponse:
        return pb.GetTasteResponse(taste=_taste(await self._do.taste.get(rpc.caller())))

    async def SetTaste(self, request: pb.SetTasteRequest, context: Any) -> pb.SetTasteResponse:
        taste = await self._do.taste.put(rpc.caller(), request.taste.followed, request.taste.muted)
        return pb.SetTasteResponse(taste=_taste(taste))

    async def Acknowledge(self, request: pb.AcknowledgeRequest, context: Any) -> pb.AcknowledgeResponse:
        await self._do.acknowledge(
            rpc.caller(),
            request.post_id,
            text_version=request.text_version,
            at=now(),
            in_place_of=request.in_place_of,
        )
        return pb.AcknowledgeResponse()

    async def SetDelegate(self, request: pb.SetDelegateRequest, context: Any) -> pb.SetDelegateResponse:
        await self._do.delegate(rpc.caller(), request.delegate_id, wire.time(request.until), now())
        return pb.SetDelegateResponse()

    # Proof

    async def ListMissing(self, request: pb.ListMissingRequest, context: Any) -> pb.ListMissingResponse:
        after = next(iter(rpc.read_page_token(request)), None)
        found = await self._do.missing(
            rpc.caller(), request.post_id, None if after is None else int(after), rpc.page_size(request)
        )
        return pb.ListMissingResponse(
            person_ids=found.person_ids,
            next_page_token="" if found.after is None else rpc.page_token(request, found.after),
            missing=found.missing,
            audience_size=found.audience_size,
        )

    async def GetMissingCounts(self, request: pb.GetMissingCountsRequest, context: Any) -> pb.GetMissingCountsResponse:
        entities, units = await self._do.missing.cells(rpc.caller(), request.post_id)
        return pb.GetMissingCountsResponse(
            entities=map(wire.missing_count, entities), units=map(wire.missing_count, units)
        )

    async def DownloadRoll(
        self, request: pb.DownloadRollRequest, context: Any
    ) -> AsyncIterator[pb.DownloadRollResponse]:
        part = bytearray()
        async for line in self._do.roll(rpc.caller(), request.post_id, now()):
            part += line
            if len(part) >= _PART_BYTES:
                yield pb.DownloadRollResponse(content=bytes(part))
                part.clear()
        yield pb.DownloadRollResponse(content=bytes(part))

    async def GetRollKeys(self, request: pb.GetRollKeysRequest, context: Any) -> pb.GetRollKeysResponse:
        current, *earlier = map(wire.roll_key, self._do.roll_keys())
        current.current = True
        return pb.GetRollKeysResponse(keys=[current, *earlier])

    async def GetReach(self, request: pb.GetReachRequest, context: Any) -> pb.GetReachResponse:
        reach = await self._do.reach(rpc.caller(), request.post_id)
        return pb.GetReachResponse(
            whole=wire.reach_count(reach.whole),
            entities=map(wire.reach_count, reach.entities),
            roles=map(wire.reach_count, reach.roles),
            professions=map(wire.reach_count, reach.professions),
        )

    # Talk

    async def AddComment(self, request: pb.AddCommentRequest, context: Any) -> pb.AddCommentResponse:
        comment = await self._do.talk.say(
            rpc.caller(), request.post_id, request.text, request.reply_to, comment_id=rpc.derived_id(), at=now()
        )
        return pb.AddCommentResponse(comment=wire.comment(comment))

    async def ListComments(self, request: pb.ListCommentsRequest, context: Any) -> pb.ListCommentsResponse:
        after = wire.position(rpc.read_page_token(request))
        page = await self._do.talk.page(rpc.caller(), request.post_id, after, rpc.page_size(request))
        token = rpc.page_token(request, *wire.position_key(page.after)) if page.after else ""
        return pb.ListCommentsResponse(comments=map(wire.comment, page.comments), next_page_token=token)

    async def DeleteComment(self, request: pb.DeleteCommentRequest, context: Any) -> pb.DeleteCommentResponse:
        await self._do.talk.take_back(rpc.caller(), request.comment_id, now())
        return pb.DeleteCommentResponse()

    async def ModerateComment(self, request: pb.ModerateCommentRequest, context: Any) -> pb.ModerateCommentResponse:
        comment = await self._do.talk.moderate(
            rpc.caller(), request.comment_id, request.reason, hide=request.hide, at=now()
        )
        return pb.ModerateCommentResponse(comment=wire.comment(comment))

    async def React(self, request: pb.ReactRequest, context: Any) -> pb.ReactResponse:
        await self._do.talk.react(rpc.caller(), request.post_id, wire.reaction(request.reaction))
        return pb.ReactResponse()

    async def GetReactions(self, request: pb.GetReactionsRequest, context: Any) -> pb.GetReactionsResponse:
        counts, own = await self._do.talk.counts(rpc.caller(), request.post_id)
        return pb.GetReactionsResponse(
            counts=[
                pb.ReactionCount(reaction=wire.reaction_message(each), count=count) for each, count in counts.items()
            ],
            own=wire.reaction_message(own),
        )

    # To and from other programs

    async def CreateFeedToken(self, request: pb.CreateFeedTokenRequest, context: Any) -> pb.CreateFeedTokenResponse:
        token = secrets.token_urlsafe(32)
        await self._do.syndicate.open(rpc.caller(), token)
        return pb.CreateFeedTokenResponse(token=token)

    async def RevokeFeedToken(self, request: pb.RevokeFeedTokenRequest, context: Any) -> pb.RevokeFeedTokenResponse:
        await self._do.syndicate.close(rpc.caller())
        return pb.RevokeFeedTokenResponse()

    async def GetAlert(self, request: pb.GetAlertRequest, context: Any) -> pb.GetAlertResponse:
        return pb.GetAlertResponse(cap=await self._do.alerts.export(rpc.caller(), request.post_id))

    async def ImportAlert(self, request: pb.ImportAlertRequest, context: Any) -> pb.ImportAlertResponse:
        post = await self._do.alerts.take(
            rpc.caller(),
            request.cap,
            request.audience,
            confirmed=request.confirm_audience,
            request=rpc.derived_id(),
            at=now(),
        )
        return pb.ImportAlertResponse(post=wire.post_message(post))


def _taste(taste: Taste) -> pb.Taste:
    return pb.Taste(followed=sorted(taste.followed), muted=sorted(taste.muted))
