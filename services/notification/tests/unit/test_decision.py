import pytest
from errors import Invalid
from hypothesis import given
from hypothesis import strategies as st
from notification.domain.decision import RULES, Rule, decide, may_be_preferred
from notification.domain.vocabulary import Channel, Topic

channels = st.sampled_from(Channel)
preferences = st.dictionaries(channels, st.booleans())


@given(st.sampled_from(Topic), preferences, st.sets(channels), st.booleans())
def test_every_channel_gets_a_decision_that_its_rule_allows(topic, preferences, reachable, broadcast):
    decided = decide(topic, preferences=preferences, reachable=reachable, broadcast=broadcast)
    assert {each.channel for each in decided} == set(Channel)
    for each in decided:
        rule = RULES[topic][each.channel]
        assert each.reason in {"forced", "never", "preference", "default", "no-address", "broadcast"}
        assert not each.send or (each.channel in reachable and rule is not Rule.NEVER)
        if rule is Rule.FORCED:
            assert each.send is (each.channel in reachable)
        elif rule is not Rule.NEVER and each.channel in preferences and each.channel in reachable:
            assert (each.send, each.reason) == (preferences[each.channel], "preference")


@pytest.mark.parametrize(
    ("topic", "channel", "broadcast", "send", "reason"),
    [
        (Topic.MAIL, Channel.IN_APP, False, True, "default"),
        (Topic.MAIL, Channel.EMAIL, False, False, "never"),
        (Topic.DOCUMENT, Channel.EMAIL, False, True, "default"),
        (Topic.DOCUMENT, Channel.EMAIL, True, False, "broadcast"),
        (Topic.DOCUMENT, Channel.IN_APP, True, True, "default"),
        (Topic.NEWS, Channel.EMAIL, True, False, "default"),
        (Topic.NEWS, Channel.SMS, True, False, "default"),
        (Topic.PRESCRIPTION, Channel.SMS, False, True, "forced"),
    ],
)
def test_without_a_preference_the_table_decides(topic, channel, broadcast, send, reason):
    decided = decide(topic, preferences={}, reachable=set(Channel), broadcast=broadcast)
    (decision,) = (each for each in decided if each.channel is channel)
    assert (decision.send, decision.reason) == (send, reason)


def test_what_leaves_no_choice_cannot_be_preferred():
    for topic, channel in ((Topic.MAIL, Channel.EMAIL), (Topic.PRESCRIPTION, Channel.SMS)):
        with pytest.raises(Invalid) as told:
            may_be_preferred(topic, channel)
        assert told.value.reason == "PREFERENCE_FIXED"
    may_be_preferred(Topic.NEWS, Channel.EMAIL)
