from dataclasses import replace
from datetime import UTC, datetime, timedelta

from directory_view import Bitmap
from hypothesis import given
from hypothesis import strategies as st
from notification.domain.broadcast import Broadcast, Broadcasts
from notification.domain.vocabulary import Topic

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def broadcast(item: int, people: set[int], expired: bool) -> Broadcast:
    return Broadcast(
        broadcast_id=f"{item:03}.all",
        key=f"k{item}",
        topic=Topic.NEWS,
        entity_id="e01",
        titles={"pt": "t"},
        subject_id="p1",
        at=NOW,
        kept_until=NOW + timedelta(days=-1 if expired else 1),
        people=Bitmap(people),
    )


known = st.builds(broadcast, st.integers(0, 12), st.sets(st.integers(0, 2)), st.booleans())


@given(st.lists(st.tuples(known, st.booleans()), max_size=30), st.integers(0, 13).map(lambda item: f"{item:03}.all"))
def test_what_stands_in_an_inbox_is_what_filtering_all_gives(said, middle):
    live = Broadcasts()
    model: dict[str, Broadcast] = {}
    for each, withdrawn in said:
        live.put(replace(each, withdrawn=withdrawn))
        model.pop(each.broadcast_id, None)
        if not withdrawn:
            model[each.broadcast_id] = each
    assert len(live) == len(model)
    for number in range(3):
        mine = [model[at] for at in sorted(model) if number in model[at].people and model[at].kept_until > NOW]
        assert list(live.before(number, "", NOW)) == mine[::-1]
        assert list(live.before(number, middle, NOW)) == [each for each in mine[::-1] if each.broadcast_id < middle]
        assert list(live.after(number, middle, NOW)) == [each for each in mine if each.broadcast_id > middle]
