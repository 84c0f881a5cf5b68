"""The chain that the service builds, against the verifier that clients have and every way to tamper with it."""

import hashlib
from collections.abc import Callable

import pytest
from cli.audit_chain import ChainVerifier
from errors import Invalid
from governance.domain.chain import Entry, Head, chained
from hypothesis import given, settings
from hypothesis import strategies as st
from rossio.governance.v1.audit_pb2 import ActionAudited, ChainedRecord


def entry(number: int, entity: str = "e01") -> Entry:
    action = ActionAudited(audit_id=f"a{number}", entity_id=entity, action="document.node.share", resource=f"n{number}")
    return Entry(action.audit_id, entity, action.SerializeToString())


def chain(*entries: Entry) -> list[ChainedRecord]:
    links = chained(Head(), entries)
    return [ChainedRecord(sequence=link.sequence, record=link.entry.record, hash=link.hash) for link in links]


def verified(records: list[ChainedRecord]) -> ChainVerifier:
    verifier = ChainVerifier()
    for record in records:
        verifier.take(record)
    return verifier


def test_the_hash_is_the_one_of_the_contract():
    one, two = chained(Head(), [entry(1), entry(2)])
    assert one.hash == hashlib.sha256(bytes(32) + b"\0\0\0\0\0\0\0\1" + entry(1).record).digest()
    assert two.hash == hashlib.sha256(one.hash + b"\0\0\0\0\0\0\0\2" + entry(2).record).digest()
    assert two.head == Head(2, two.hash)


@settings(deadline=None)
@given(st.integers(0, 30), st.integers(0, 30))
def test_a_chain_goes_on_from_any_head_and_verifies(first: int, more: int):
    links = list(chained(Head(), map(entry, range(first))))
    head = links[-1].head if links else Head()
    links += chained(head, map(entry, range(first, first + more)))
    assert [link.sequence for link in links] == list(range(1, first + more + 1))
    verifier = verified(chain(*map(entry, range(first + more))))
    assert (verifier.length, verifier.hash) == (len(links), links[-1].hash if links else bytes(32))


def forged(records: list[ChainedRecord], at: int) -> ChainedRecord:
    """A record in which another actor stands, with the hash that is right at its place."""
    action = ActionAudited.FromString(records[at].record)
    action.actor = "somebody else"
    before = records[at - 1].hash if at else bytes(32)
    record, sequence = action.SerializeToString(), records[at].sequence
    digest = hashlib.sha256(before + sequence.to_bytes(8, "big") + record).digest()
    return ChainedRecord(sequence=sequence, record=record, hash=digest)


def renumbered(records: list[ChainedRecord]) -> list[ChainedRecord]:
    return [ChainedRecord(sequence=n, record=r.record, hash=r.hash) for n, r in enumerate(records, start=1)]


TAMPERINGS: dict[str, Callable[[list[ChainedRecord], int], list[ChainedRecord]]] = {
    "left out": lambda records, at: records[:at] + records[at + 1 :],
    "left out and renumbered": lambda records, at: renumbered(records[:at] + records[at + 1 :]),
    "swapped": lambda records, at: [*records[:at], records[at + 1], records[at], *records[at + 2 :]],
    "forged": lambda records, at: [*records[:at], forged(records, at), *records[at + 1 :]],
    "repeated": lambda records, at: [*records[: at + 1], *records[at:]],
    "cut hash": lambda records, at: [
        *records[:at],
        ChainedRecord(sequence=at + 1, record=records[at].record, hash=records[at].hash[:16]),
        *records[at + 1 :],
    ],
    "moved in": lambda records, at: records[:at] + chain(*map(entry, range(at)), entry(at, "e02"))[at:],
    "appended twice": lambda records, at: chain(*map(entry, range(12)), entry(at)),
}


@pytest.mark.parametrize("tampering", TAMPERINGS)
@settings(deadline=None)
@given(at=st.integers(1, 9))
def test_tampering_is_found(tampering: str, at: int):
    records = chain(*map(entry, range(12)))
    with pytest.raises(Invalid, match="the chain breaks at record") as broken:
        verified(TAMPERINGS[tampering](records, at))
    assert int(broken.value.details["sequence"]) in {at + 1, at + 2, 13}


@settings(deadline=None)
@given(st.integers(0, 11), st.data())
def test_a_changed_byte_is_found(at: int, data: st.DataObject):
    records = chain(*map(entry, range(12)))
    position = data.draw(st.integers(0, len(records[at].record) - 1))
    changed = bytearray(records[at].record)
    changed[position] ^= data.draw(st.integers(1, 255))
    records[at] = ChainedRecord(sequence=at + 1, record=bytes(changed), hash=records[at].hash)
    with pytest.raises(Invalid):
        verified(records)
