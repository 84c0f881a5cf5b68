"""The composition root of news."""

import service
from rossio.news.v1.service_pb2_grpc import add_NewsServiceServicer_to_server

from news.adapters.store import ACKNOWLEDGEMENT_INDEXES, POST_INDEXES, StoredAcknowledgements, StoredPosts
from news.application.acknowledge import Acknowledge
from news.application.create_post import CreatePost
from news.application.get_post import GetPost
from news.application.list_feed import ListFeed
from news.application.list_missing import ListMissing
from news.application.preview_audience import PreviewAudience
from news.application.publish_post import PublishPost
from news.application.refresh_feed import RefreshFeed
from news.application.retract_post import RetractPost
from news.application.update_post import UpdatePost
from news.domain.feed import Feed
from news.entrypoints.clock import FeedClock
from news.entrypoints.grpc import NewsServicer, UseCases
from news.settings import Settings


def build(app: service.App[Settings]) -> None:
    """Wires one process."""
    post_documents = app.collection("posts", POST_INDEXES)
    acknowledgement_documents = app.collection("acknowledgements", ACKNOWLEDGEMENT_INDEXES)
    posts = StoredPosts(post_documents)
    acknowledgements = StoredAcknowledgements(acknowledgement_documents)
    app.relay(post_documents, acknowledgement_documents)
    view = app.feed().view
    feed = Feed()
    app.add(FeedClock(RefreshFeed(posts, feed)), "feed")
    use_cases = UseCases(
        create=CreatePost(posts, view),
        update=UpdatePost(posts, view),
        preview=PreviewAudience(view),
        publish=PublishPost(posts, view, feed),
        retract=RetractPost(posts, feed),
        get=GetPost(posts, acknowledgements, view),
        feed=ListFeed(acknowledgements, view, feed),
        acknowledge=Acknowledge(posts, acknowledgements, view, feed),
        missing=ListMissing(posts, acknowledgements, view),
    )
    app.grpc(NewsServicer(use_cases), add_NewsServiceServicer_to_server, "rossio.news.v1.NewsService")


def main() -> None:
    service.run("news", Settings, build)


if __name__ == "__main__":
    main()
