"""ListChains: how far each chain goes that the caller may read."""

from collections.abc import Sequence

from governance.application.ports import Chains
from governance.domain.auditor import Auditor
from governance.domain.chain import Head


async def list_chains(
    chains: Chains, auditor: Auditor, after: str | None, limit: int
) -> tuple[Sequence[tuple[str, Head]], str | None]:
    """At most `limit` entities behind `after` with the heads of their chains; and the one to go on from."""
    if not auditor.of_ministry:
        head = await chains.head(auditor.entity_id)
        return [(auditor.entity_id, head)] if head.length and after is None else [], None
    found = await chains.entities(after, limit + 1)
    heads = [(entity_id, await chains.head(entity_id)) for entity_id in found[:limit]]
    return heads, found[limit - 1] if len(found) > limit else None
