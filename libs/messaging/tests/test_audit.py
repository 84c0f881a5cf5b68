from datetime import UTC, datetime

import pytest
from messaging import audited
from rossio.governance.v1.audit_pb2 import ActionAudited

NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)


def audit(action="document.node.share", at=NOW, **said):
    return audited(
        action,
        at=at,
        entity_id="e01",
        actor="p7",
        actor_entity_id="e02",
        resource="n9",
        details={"role": "reader"},
        **said,
    )


def test_an_audit_record_says_who_did_what_to_what():
    fact = audit(id="a1")
    record = ActionAudited.FromString(fact.payload)
    assert (fact.topic, dict(fact.headers)["ce_id"]) == ("audit.v1", b"a1")
    assert (record.audit_id, record.entity_id, record.actor, record.actor_entity_id) == ("a1", "e01", "p7", "e02")
    assert (record.action, record.resource, dict(record.details)) == ("document.node.share", "n9", {"role": "reader"})
    assert record.at.ToDatetime(UTC) == NOW


def test_the_record_and_its_event_have_one_id_and_no_two_records_the_same():
    one, other = audit(), audit()
    assert dict(one.headers)["ce_id"].decode() == ActionAudited.FromString(one.payload).audit_id
    assert dict(one.headers)["ce_id"] != dict(other.headers)["ce_id"]


@pytest.mark.parametrize("action", ["share", "document.share", "Document.node.share", "a.b.c.d", "document.node.", ""])
def test_an_action_has_three_words(action):
    with pytest.raises(ValueError, match="an action is"):
        audit(action)


def test_a_naive_time_is_refused():
    with pytest.raises(ValueError, match="aware"):
        audit(at=NOW.replace(tzinfo=None))
