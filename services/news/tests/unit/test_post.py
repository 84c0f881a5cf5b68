from datetime import UTC, datetime, timedelta

import pytest
from directory_view import Bitmap
from errors import Conflict, Invalid
from news.domain.post import Content, Post, State, Variant, choose

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
PT = Variant.of("pt-PT", "Olá", "texto")
EN = Variant.of("en", "Hello", "text")


def draft(**content) -> Post:
    return Post("p1", "e01", "ana", Content(variants=(PT, EN), audience="all", **content))


def test_a_post_goes_from_draft_to_published_to_retracted_and_never_back():
    published = draft().published(Bitmap([1, 2]), NOW)
    assert (published.state, published.text_version, published.published_at) == (State.PUBLISHED, 1, NOW)
    assert published.may_be_read_by(2)
    assert not published.may_be_read_by(3)
    assert not draft().may_be_read_by(1)
    retracted = published.retracted()
    assert not retracted.may_be_read_by(2)
    for refused in (
        lambda: published.published(Bitmap([1]), NOW),
        lambda: published.revised(published.content),
        retracted.retracted,
        draft().retracted,
    ):
        with pytest.raises(Conflict) as told:
            refused()
        assert told.value.reason == "POST_STATE"


def test_nobody_is_no_audience():
    with pytest.raises(Invalid) as told:
        draft().published(Bitmap(), NOW)
    assert told.value.reason == "AUDIENCE_EMPTY"


def test_a_date_to_acknowledge_by_is_ahead_when_the_post_is_published():
    late = draft(mandatory=True, acknowledge_by=NOW)
    with pytest.raises(Invalid) as told:
        late.published(Bitmap([1]), NOW)
    assert told.value.reason == "DEADLINE_PAST"
    assert late.published(Bitmap([1]), NOW - timedelta(seconds=1)).state is State.PUBLISHED


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: Content(variants=(), audience="all"), "NO_VARIANT"),
        (lambda: Content(variants=(PT, Variant.of("PT-pt", "x", "y")), audience="all"), "LOCALE_TWICE"),
        (lambda: Content(variants=(PT,), audience="all", acknowledge_by=NOW), "DEADLINE_WITHOUT_DUTY"),
        (lambda: Content(variants=(Variant.of("pt", "x", "y" * 300_000),), audience="all"), "TEXT_TOO_LARGE"),
        (lambda: Variant.of("pt_PT", "x", "y"), "LOCALE_MALFORMED"),
        (lambda: Variant.of("pt", " \n ", "y"), "TITLE_LENGTH"),
        (lambda: Variant.of("pt", "x" * 201, "y"), "TITLE_LENGTH"),
        (lambda: Variant.of("pt", "x", " \n"), "BODY_BLANK"),
    ],
)
def test_bad_content_is_refused_by_its_reason(make, reason):
    with pytest.raises(Invalid) as told:
        make()
    assert told.value.reason == reason


@pytest.mark.parametrize(
    ("locale", "title"), [("pt-PT", "Olá"), ("pt-BR", "Olá"), ("EN", "Hello"), ("en-GB", "Hello"), ("fr", "Olá")]
)
def test_a_reader_gets_their_language_or_the_first(locale, title):
    assert choose((PT, EN), locale).title == title
    shown = draft().published(Bitmap([1]), NOW).for_reader(locale)
    assert [variant.title for variant in shown.content.variants] == [title]
