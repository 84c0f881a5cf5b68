"""The verifier against a chain whose hashes were computed by other means: `printf ... | sha256sum`.

services/governance/tests/unit/test_chain.py tampers with chains in every way that we could think of.
"""

import pytest
from cli.audit_chain import ChainVerifier
from errors import Invalid
from rossio.governance.v1.audit_pb2 import ChainedRecord

# ActionAudited{audit_id: "a1", entity_id: "e01"} and {audit_id: "a2", entity_id: "e01"}
FIRST, SECOND = bytes.fromhex("0a0261311203653031"), bytes.fromhex("0a0261321203653031")
FIRST_HASH = bytes.fromhex("2bbb25313cb48506f6be8f75789d45b29214908ea4f35a26af1e8dc877fe31b9")
SECOND_HASH = bytes.fromhex("40e7f3e82c58157236a628db67136b08ee6ffac1e07bf48e5e97f74ec42b22dd")


def test_a_chain_computed_elsewhere_verifies() -> None:
    verifier = ChainVerifier()
    verifier.take(ChainedRecord(sequence=1, record=FIRST, hash=FIRST_HASH))
    verifier.take(ChainedRecord(sequence=2, record=SECOND, hash=SECOND_HASH))
    assert (verifier.length, verifier.hash) == (2, SECOND_HASH)


def test_a_break_is_told_by_its_place_and_what_held_stays() -> None:
    verifier = ChainVerifier()
    verifier.take(ChainedRecord(sequence=1, record=FIRST, hash=FIRST_HASH))
    with pytest.raises(Invalid, match="the chain breaks at record 2") as broken:
        verifier.take(ChainedRecord(sequence=2, record=FIRST, hash=SECOND_HASH))
    assert broken.value.reason == "CHAIN_BROKEN"
    assert (verifier.length, verifier.hash) == (1, FIRST_HASH)
