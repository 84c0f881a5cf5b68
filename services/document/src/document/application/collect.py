"""Which content is referred to: by a version of a file, or as the text out of one."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from document.application.ports import Nodes
from document.application.search_ports import Texts


@dataclass(frozen=True, slots=True)
class Referred:
    """Asked by the collection of content; what became of contents that go is forgotten with them."""

    nodes: Nodes
    texts: Texts

    async def __call__(self, refs: Sequence[str]) -> Collection[str]:
        held = set(await self.nodes.referenced(refs))
        sources = await self.texts.sources(refs)
        of_texts = {ref for froms in sources.values() for ref in froms}
        still = set(await self.nodes.referenced(sorted(of_texts))) if of_texts else set[str]()
        held |= {text for text, froms in sources.items() if still.intersection(froms)}
        await self.texts.forget([ref for ref in refs if ref not in held])
        return held
