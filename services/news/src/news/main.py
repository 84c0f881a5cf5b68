"""The composition root of news."""

import blobs
import service
from rossio.news.v1.service_pb2_grpc import add_NewsServiceServicer_to_server

from news.adapters.marks import MARK_INDEXES, GroupedMarks
from news.adapters.readers import FEED_TOKEN_INDEXES, StoredDelegations, StoredFeedTokens, StoredTastes
from news.adapters.roll_key import RollKey, public_key
from news.adapters.store import POST_INDEXES, StoredPosts
from news.adapters.talk import COMMENT_INDEXES, StoredComments, StoredReactions
from news.application.acknowledge import Acknowledge
from news.application.audiences import Audiences
from news.application.create_post import CreatePost
from news.application.delegate import Delegate
from news.application.download_roll import DownloadRoll
from news.application.editing import Editing
from news.application.end_post import EndPost
from news.application.exchange_alerts import ExchangeAlerts
from news.application.get_post import GetPost
from news.application.get_reach import GetReach
from news.application.get_roll_keys import GetRollKeys
from news.application.keep_time import KeepTime
from news.application.list_feed import ListFeed
from news.application.list_missing import ListMissing
from news.application.look_at_posts import LookAtPosts
from news.application.mark_read import MarkRead
from news.application.preview_audience import PreviewAudience
from news.application.publish_post import PublishPost
from news.application.reading import Reading
from news.application.refresh_feed import RefreshFeed
from news.application.review_post import ReviewPost
from news.application.schedule_post import SchedulePost
from news.application.set_taste import SetTaste
from news.application.submit_post import SubmitPost
from news.application.syndicate import Syndicate
from news.application.talk import Talk
from news.application.tidy_marks import TidyMarks
from news.application.update_post import UpdatePost
from news.application.watch_feed import WatchFeed
from news.domain.feed import Feed
from news.entrypoints.grpc import NewsServicer, UseCases
from news.entrypoints.http import FeedPages
from news.settings import Settings


def build(app: service.App[Settings]) -> None:
    """Wires one process."""
    settings = app.settings
    post_documents = app.collection("posts", POST_INDEXES)
    mark_documents = app.collection("marks", MARK_INDEXES)
    delegation_documents = app.collection("delegations")
    comment_documents = app.collection("comments", COMMENT_INDEXES)
    app.relay(post_documents, mark_documents, delegation_documents, comment_documents)
    posts = StoredPosts(post_documents, settings.remind_before)
    delegations = StoredDelegations(delegation_documents)
    tastes = StoredTastes(app.collection("tastes"))
    view = app.feed().view
    audiences = Audiences(view)
    feed = Feed(audiences.of)
    marks = app.add(GroupedMarks(mark_documents, service.now, settings.fold_after), "marks")
    app.chore("feed", 1, RefreshFeed(posts, marks, feed), first=True)
    app.chore("tidying", 60, TidyMarks(marks, feed))
    app.chore("calendar", 1, KeepTime(posts, marks, audiences, feed, settings.remind_before))
    roll_key = _roll_key(settings)
    edit = Editing(posts, feed)
    reading = Reading(posts, marks, view, feed)
    get = GetPost(reading)
    syndicate = Syndicate(reading, tastes, StoredFeedTokens(app.collection("feed_tokens", FEED_TOKEN_INDEXES)))
    use_cases = UseCases(
        create=CreatePost(posts, audiences, settings.least_approvals),
        update=UpdatePost(edit, audiences, settings.least_approvals),
        preview=PreviewAudience(view, audiences),
        submit=SubmitPost(edit),
        review=ReviewPost(edit),
        schedule=SchedulePost(edit, audiences),
        publish=PublishPost(edit, audiences),
        end=EndPost(edit),
        look=LookAtPosts(posts),
        get=get,
        feed=ListFeed(reading, tastes),
        watch=WatchFeed(reading, tastes),
        mark_read=MarkRead(reading),
        taste=SetTaste(reading, tastes),
        acknowledge=Acknowledge(reading, delegations),
        delegate=Delegate(reading, delegations),
        missing=ListMissing(posts, marks, audiences, view),
        roll=DownloadRoll(posts, marks, audiences, view, roll_key),
        roll_keys=GetRollKeys(roll_key),
        reach=GetReach(posts, marks, audiences, view),
        alerts=ExchangeAlerts(posts, edit, get, audiences, settings.alert_sender),
        syndicate=syndicate,
        talk=Talk(reading, StoredComments(comment_documents), StoredReactions(app.collection("reactions"))),
    )
    app.grpc(NewsServicer(use_cases), add_NewsServiceServicer_to_server, "rossio.news.v1.NewsService")
    app.http(FeedPages(syndicate).application(), settings.http_address, "HTTP_ADDRESS")


def _roll_key(settings: Settings) -> RollKey:
    if settings.roll_key is not None:
        seed = blobs.master_key(settings.roll_key.get_secret_value())
    else:
        seed = blobs.master_key_file(settings.data_path / "roll.key")
    return RollKey(seed, [public_key(each) for each in settings.roll_keys_before])


def main() -> None:
    service.run("news", Settings, build)


if __name__ == "__main__":
    main()
