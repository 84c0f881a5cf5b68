"""ListAuditRecords: one chain in order."""

from collections.abc import AsyncIterator

from errors import NotFound

from governance.application.ports import Chains
from governance.domain.auditor import Auditor
from governance.domain.chain import Link


def list_records(chains: Chains, auditor: Auditor, entity_id: str, after: int) -> AsyncIterator[Link]:
    """The links behind sequence `after`.

    Raises:
        NotFound: the chain is not for them.
    """
    if not auditor.may_read(entity_id):
        raise NotFound("there is no such chain")
    return chains.read(entity_id, after)
