# ruff: noqa: ARG002, N802 - the contract names the methods and their parameters
"""rossio.news.v1.NewsService: each method is wire, use case, wire."""

from dataclasses import dataclass
from typing import Any

import rpc
from rossio.news.v1 import service_pb2 as pb
from rossio.news.v1.service_pb2_grpc import NewsServiceServicer

from news.adapters import wire
from news.application.acknowledge import Acknowledge
from news.application.create_post import CreatePost
from news.application.get_post import GetPost
from news.application.list_feed import ListFeed
from news.application.list_missing import ListMissing
from news.application.preview_audience import PreviewAudience
from news.application.publish_post import PublishPost
from news.application.retract_post import RetractPost
from news.application.update_post import UpdatePost
from news.entrypoints.clock import now


@dataclass(frozen=True, slots=True)
class UseCases:
    """What the service can do."""

    create: CreatePost
    update: UpdatePost
    preview: PreviewAudience
    publish: PublishPost
    retract: RetractPost
    get: GetPost
    feed: ListFeed
    acknowledge: Acknowledge
    missing: ListMissing


class NewsServicer(NewsServiceServicer):
    def __init__(self, use_cases: UseCases) -> None:
        self._do = use_cases

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
        preview = self._do.preview(request.audience)
        return pb.PreviewAudienceResponse(size=preview.size, sample=preview.sample)

    async def PublishPost(self, request: pb.PublishPostRequest, context: Any) -> pb.PublishPostResponse:
        post = await self._do.publish(
            rpc.caller(), request.post_id, etag=request.etag, request=rpc.derived_id(), at=now()
        )
        return pb.PublishPostResponse(post=wire.post_message(post))

    async def RetractPost(self, request: pb.RetractPostRequest, context: Any) -> pb.RetractPostResponse:
        post = await self._do.retract(
            rpc.caller(), request.post_id, reason=request.reason, request=rpc.derived_id(), at=now()
        )
        return pb.RetractPostResponse(post=wire.post_message(post))

    async def GetPost(self, request: pb.GetPostRequest, context: Any) -> pb.GetPostResponse:
        opened = await self._do.get(rpc.caller(), request.post_id)
        return pb.GetPostResponse(post=wire.post_message(opened.post), acknowledged=opened.acknowledged)

    async def ListFeed(self, request: pb.ListFeedRequest, context: Any) -> pb.ListFeedResponse:
        page = await self._do.feed(
            rpc.caller(), wire.feed_position(rpc.read_page_token(request)), rpc.page_size(request, default=20, most=100)
        )
        token = rpc.page_token(request, *wire.feed_key(page.before)) if page.before else ""
        items = [pb.FeedItem(post=wire.post_message(each.post), acknowledged=each.acknowledged) for each in page.items]
        return pb.ListFeedResponse(items=items, next_page_token=token)

    async def Acknowledge(self, request: pb.AcknowledgeRequest, context: Any) -> pb.AcknowledgeResponse:
        await self._do.acknowledge(rpc.caller(), request.post_id, text_version=request.text_version, at=now())
        return pb.AcknowledgeResponse()

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
