from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from directory_view import Bitmap
from errors import Conflict, Invalid, NotAllowed, RossioError
from news.domain.alert import Alert
from news.domain.content import Content
from news.domain.post import Post, State
from news.domain.text import Variant, choose

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
PT = Variant.of("pt-PT", "Olá", "texto")
EN = Variant.of("en", "Hello", "text")
PEOPLE, EVERYBODY = Bitmap([1, 2]), 3


def draft(**content) -> Post:
    return Post("p1", "e01", "ana", Content(variants=(PT, EN), audience="all", **content), editors=("ana",))


def published(post: Post | None = None) -> Post:
    return (post or draft()).published(PEOPLE, EVERYBODY, NOW)


def reason(do) -> str:
    with pytest.raises(RossioError) as told:
        do()
    return told.value.reason


def test_a_post_goes_from_draft_to_published_to_its_end_and_never_back():
    post = published()
    assert post.live
    assert (post.state, post.text_version, post.live.published_at) == (State.PUBLISHED, 1, NOW)
    assert post.in_feeds
    assert not draft().in_feeds
    ends = (post.retracted(), post.archived(), post.expired())
    assert [end.may_be_opened for end in ends] == [False, True, False]
    for end in ends:
        assert not end.in_feeds
        for refused in (end.retracted, lambda end=end: published(end), lambda end=end: end.revised(end.content, "x")):
            assert reason(refused) == "POST_STATE"
    for refused in (draft().retracted, lambda: published(post)):
        assert reason(refused) == "POST_STATE"


def test_readers_keep_the_version_before_until_the_next_is_published():
    edited = published().revised(replace(draft().content, variants=(EN,)), "rui")
    assert edited.state is State.DRAFT
    assert edited.in_feeds
    assert edited.for_reader("pt").content.variants == (PT,)
    again = published(edited)
    assert again.text_version == 2
    assert again.for_reader("pt").content.variants == (EN,)


def test_nobody_and_everybody_are_asked_about():
    assert reason(lambda: draft().published(Bitmap(), EVERYBODY, NOW)) == "AUDIENCE_EMPTY"
    assert reason(lambda: draft().published(Bitmap([1, 2, 3]), EVERYBODY, NOW)) == "AUDIENCE_EVERYBODY"
    for people in (Bitmap(), Bitmap([1, 2, 3])):
        assert draft().published(people, EVERYBODY, NOW, confirmed=True).in_feeds


@pytest.mark.parametrize(
    ("dates", "why"),
    [
        ({"mandatory": True, "acknowledge_by": NOW}, "DEADLINE_PAST"),
        ({"expire_at": NOW - timedelta(days=1)}, "EXPIRY_PAST"),
    ],
)
def test_the_dates_of_a_post_are_ahead_when_it_is_published(dates, why):
    assert reason(lambda: published(draft(**dates))) == why


def test_a_post_that_needs_two_approvals_has_them_from_two_who_did_not_write_it():
    post = draft(approvals=2).submitted()
    assert reason(lambda: post.approved("ana", "", NOW)) == "OWN_POST"
    assert reason(lambda: published(draft(approvals=2))) == "POST_STATE"
    once = post.approved("rui", "bem", NOW)
    assert once.state is State.IN_REVIEW
    assert reason(lambda: once.approved("rui", "", NOW)) == "APPROVED_ALREADY"
    twice = once.approved("eva", "", NOW)
    assert twice.state is State.APPROVED
    assert published(twice).state is State.PUBLISHED
    changed = twice.revised(twice.content, "rui")
    assert (changed.state, changed.approvals, changed.editors) == (State.DRAFT, (), ("ana", "rui"))
    assert reason(lambda: changed.submitted().rejected("rui", "não")) == "OWN_POST"


def test_a_rejection_says_why_and_sends_the_post_back():
    post = draft(approvals=1).submitted()
    assert reason(lambda: post.rejected("rui", " ")) == "REASON_MISSING"
    assert post.rejected("rui", "falta a data").state is State.DRAFT


def test_a_scheduled_post_is_published_at_its_time_or_held():
    later = NOW + timedelta(hours=1)
    assert reason(lambda: draft().scheduled(NOW, PEOPLE, EVERYBODY, NOW, confirmed=False)) == "SCHEDULE_PAST"
    assert reason(lambda: draft().scheduled(later, Bitmap(), EVERYBODY, NOW, confirmed=False)) == "AUDIENCE_EMPTY"
    post = draft().scheduled(later, PEOPLE, EVERYBODY, NOW, confirmed=False)
    assert post.due_at(()) == later
    assert post.published(PEOPLE, EVERYBODY, later).publish_at is None
    assert post.held().state is State.DRAFT
    sure = draft().scheduled(later, Bitmap(), EVERYBODY, NOW, confirmed=True)
    assert sure.published(Bitmap(), EVERYBODY, later).in_feeds, "what was confirmed is confirmed for its time too"


def test_reminders_come_before_the_deadline_and_those_that_were_missed_are_one():
    before = (timedelta(days=3), timedelta(days=1), timedelta(0))
    post = published(draft(mandatory=True, acknowledge_by=NOW + timedelta(days=7)))
    assert post.due_at(before) == NOW + timedelta(days=4)
    once = post.reminded(before, NOW + timedelta(days=4))
    assert once.due_at(before) == NOW + timedelta(days=6)
    late = post.reminded(before, NOW + timedelta(days=8))
    assert late.due_at(before) is None
    assert post.retracted().due_at(before) is None
    again = published(replace(late, state=State.DRAFT))
    assert again.due_at(before) == NOW + timedelta(days=4), "of each version anew"


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: Content(variants=(), audience="all"), "NO_VARIANT"),
        (lambda: Content(variants=(PT, Variant.of("PT-pt", "x", "y")), audience="all"), "LOCALE_TWICE"),
        (lambda: Content(variants=(PT,), audience="all", acknowledge_by=NOW), "DEADLINE_WITHOUT_DUTY"),
        (lambda: Content(variants=(PT,), audience="all", category="Só Isto"), "CATEGORY_MALFORMED"),
        (lambda: Content(variants=(PT,), audience="all", approvals=11), "TOO_MANY_APPROVALS"),
        (lambda: Content(variants=(Variant.of("pt", "x", "y" * 300_000),), audience="all"), "TEXT_TOO_LARGE"),
        (lambda: Variant.of("pt_PT", "x", "y"), "LOCALE_MALFORMED"),
        (lambda: Variant.of("pt", " \n ", "y"), "TITLE_LENGTH"),
        (lambda: Variant.of("pt", "x" * 201, "y"), "TITLE_LENGTH"),
        (lambda: Variant.of("pt", "x", " \n"), "BODY_BLANK"),
        (lambda: Alert("Met", "Now", "Severe", "Likely", "cheia", "Porto"), "ALERT_WORD"),
        (lambda: Alert("Met", "Immediate", "Severe", "Likely", " ", "Porto"), "ALERT_INCOMPLETE"),
    ],
)
def test_bad_content_is_refused_by_its_reason(make, why):
    assert reason(make) == why


def test_refusals_are_of_their_kind():
    with pytest.raises(NotAllowed):
        draft().submitted().approved("ana", "", NOW)
    with pytest.raises(Conflict):
        draft().archived()
    with pytest.raises(Invalid):
        draft().published(Bitmap(), EVERYBODY, NOW)


@pytest.mark.parametrize(
    ("locale", "title"), [("pt-PT", "Olá"), ("pt-BR", "Olá"), ("EN", "Hello"), ("en-GB", "Hello"), ("fr", "Olá")]
)
def test_a_reader_gets_their_language_or_the_first(locale, title):
    assert choose((PT, EN), locale).title == title
    assert [variant.title for variant in published().for_reader(locale).content.variants] == [title]
