"""Append: takes audit records into the chains of their entities, each once, whoever writes beside it.

A chain is only what its records say: there is no stored head that could differ from them. A link is
written after the ones before it, under a unique sequence, so a chain has no gap and no fork, and a
process that dies leaves a shorter chain.
"""

from collections.abc import Sequence

from errors import Conflict, Transient
from telemetry import names, points

from governance.application.ports import Chains
from governance.domain.chain import Entry, chained

_ATTEMPTS = 8
_appended = names.AUDIT_CHAINED.bind()


async def append(chains: Chains, entries: Sequence[Entry]) -> None:
    """Returns when each entry stands in its chain, once; entries of one entity keep their order.

    Raises:
        Transient: other writers were faster every time, or the store is not there.
    """
    by_entity: dict[str, dict[str, Entry]] = {}
    for entry in entries:
        by_entity.setdefault(entry.entity_id, {}).setdefault(entry.audit_id, entry)
    for batch in by_entity.values():
        await _append(chains, list(batch.values()))


async def _append(chains: Chains, entries: Sequence[Entry]) -> None:
    for _ in range(_ATTEMPTS):
        known = await chains.known([entry.audit_id for entry in entries])
        missing = [entry for entry in entries if entry.audit_id not in known]
        if not missing:
            return
        head = await chains.head(missing[0].entity_id)
        points.reached("governance.append.head_read")
        try:
            await chains.append(list(chained(head, missing)))
        except Conflict:
            continue
        points.reached("governance.append.appended")
        _appended.inc(len(missing))
        return
    raise Transient("others write the same chain all the time", reason="BUSY")
