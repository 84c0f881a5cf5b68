from datetime import UTC, datetime

import pytest
from errors import Invalid
from hypothesis import given
from hypothesis import strategies as st
from news.domain import cap
from news.domain.alert import WORDS

# After the examples of the standard's appendix A, in our own words.
GOOD = """<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">
  <identifier>IPMA-2026-11</identifier>
  <sender>avisos@meteo.example</sender>
  <sent>2026-11-26T15:00:00+00:00</sent>
  <status>Actual</status>
  <msgType>Alert</msgType>
  <scope>Public</scope>
  <info>
    <category>Met</category>
    <event>vento forte</event>
    <responseType>Shelter</responseType>
    <urgency>Expected</urgency>
    <severity>Severe</severity>
    <certainty>Likely</certainty>
    <expires>2026-11-27T06:00:00-01:00</expires>
    <description>Rajadas de 110 km/h.</description>
    <instruction>Fique em casa.</instruction>
    <area><areaDesc>Porto</areaDesc><circle>41.1,-8.6 20</circle></area>
    <area><areaDesc>Braga</areaDesc></area>
  </info>
</alert>"""


def test_a_message_of_another_program_is_read():
    message = cap.read(GOOD)
    assert message.name == "avisos@meteo.example,IPMA-2026-11,2026-11-26T15:00:00+00:00"
    (info,) = message.infos
    assert (info.language, info.headline, info.area) == ("en-US", "vento forte", "Porto, Braga")
    assert info.text == "Rajadas de 110 km/h.\n\nFique em casa."
    assert info.expires is not None
    assert info.expires.astimezone(UTC) == datetime(2026, 11, 27, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("old", "new", "element"),
    [
        ("cap:1.2", "cap:1.1", "alert"),
        ("IPMA-2026-11", "IPMA 2026", "identifier"),
        ("avisos@meteo.example", "a,b", "sender"),
        ("15:00:00+00:00", "15:00:00Z", "sent"),
        ("2026-11-26T15", "2026-13-26T15", "sent"),
        ("<status>Actual</status>", "", "status"),
        ("Actual", "actual", "status"),
        ("<scope>Public</scope>", "<scope>Private</scope>", "addresses"),
        ("<scope>Public</scope>", "<scope>Restricted</scope>", "restriction"),
        ("<msgType>Alert</msgType>", "<msgType>Cancel</msgType>", "references"),
        ("<scope>Public</scope>", "<scope>Public</scope><references>x</references>", "references"),
        ("<category>Met</category>", "", "category"),
        ("<event>vento forte</event>", "<event> </event>", "event"),
        ("Expected", "Soon", "urgency"),
        ("Shelter", "Run", "responseType"),
        ("<areaDesc>Braga</areaDesc>", "", "areaDesc"),
        (
            "<category>Met</category>\n    <event>vento forte</event>",
            "<event>x</event><category>Met</category>",
            "category",
        ),
        ("<severity>", "<tracking>x</tracking><severity>", "tracking"),
        ("<severity>Severe</severity>", "<severity>Severe</severity><severity>Minor</severity>", "severity"),
    ],
)
def test_what_breaks_the_standard_is_refused_by_its_element(old, new, element):
    assert old in GOOD
    with pytest.raises(Invalid) as told:
        cap.read(GOOD.replace(old, new, 1))
    assert (told.value.reason, told.value.details["element"]) == ("CAP_INVALID", element)


@pytest.mark.parametrize("text", ["", "<alert", "<!DOCTYPE a [<!ENTITY b 'c'>]>" + GOOD.partition("?>")[2]])
def test_what_is_no_xml_is_refused(text):
    with pytest.raises(Invalid) as told:
        cap.read(text)
    assert told.value.reason == "CAP_MALFORMED"


TEXT = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1).map(str.strip).filter(bool)
INFOS = st.builds(
    cap.Info,
    st.sampled_from(["pt-PT", "en"]),
    *(st.sampled_from(sorted(WORDS["category"])) for _ in "c"),
    TEXT,
    *(st.sampled_from(sorted(WORDS[name])) for name in ("urgency", "severity", "certainty")),
    TEXT,
    TEXT,
    TEXT,
)


@given(st.lists(INFOS, min_size=1, max_size=3))
def test_what_is_written_is_read_again(infos):
    sent = datetime(2026, 11, 26, 15, tzinfo=UTC)
    message = cap.Message(
        "a.1", "news@rossio.test", sent, "Actual", "Update", "Restricted", ("s,i,t",), tuple(infos), "all"
    )
    assert cap.read(cap.write(message)) == message
