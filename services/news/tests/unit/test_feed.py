from datetime import UTC, datetime, timedelta

from directory_view import Bitmap
from hypothesis import given
from hypothesis import strategies as st
from news.domain.content import Content
from news.domain.feed import Feed, position
from news.domain.post import Live, Post, State
from news.domain.text import Variant

START = datetime(2026, 11, 24, tzinfo=UTC)
CONTENT = Content(variants=(Variant.of("pt", "t", "b"),), audience="all")

knowledge = st.builds(
    lambda post, minute, people, version, live: Post(
        f"p{post}",
        "e01",
        "ana",
        CONTENT,
        State.PUBLISHED if live else State.RETRACTED,
        live=Live(CONTENT, Bitmap(people), START + timedelta(minutes=minute), 1),
        version=version,
    ),
    st.integers(0, 8),
    st.integers(0, 3),
    st.sets(st.integers(0, 3)),
    st.integers(2, 5),
    st.booleans(),
)


@given(st.lists(knowledge, max_size=40))
def test_a_feed_is_what_filtering_all_live_posts_gives(said):
    feed = Feed()
    live: dict[str, Post] = {}
    for post in said:
        feed.put(post)
        held = live.get(post.post_id)
        if held is None or held.version < post.version:
            live.pop(post.post_id, None)
            if post.state is State.PUBLISHED:
                live[post.post_id] = post
    newest_first = sorted(live.values(), key=position, reverse=True)
    assert len(feed) == len(live)
    for reader in range(4):
        mine = [post for post in newest_first if post.live and reader in post.live.people]
        assert list(feed.read(reader)) == mine
        for index, post in enumerate(mine):
            assert list(feed.read(reader, position(post))) == mine[index + 1 :]
            assert list(feed.since(reader, position(post))) == mine[:index][::-1]
