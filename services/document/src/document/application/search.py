"""Search: what the caller may read and looks for.

The index proposes, the permission engine decides: each hit is judged on its path as it is in the store now, so what
the index does not know yet shows nobody anything. It is asked only for what lies below a node that was granted to the
caller, so few hits are refused. Lists are by part and time, not by how rare a word is: that would tell of files that
the caller may not read.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from errors import NotFound, Transient

from document.application.access import open_node
from document.application.ports import Content, Directory, Nodes
from document.application.search_ports import Everything, Indexes, Stemmer, Texts
from document.domain.node import Node
from document.domain.permissions import Grantee, GranteeKind, Label, Role, Subject, decide, label_of
from document.domain.search import Filters, Place, Query, names_hold
from document.domain.snippet import SnippetPart, snippet

_MOST_ROOTS: Final = 20_000
_MOST_LOOKED_AT: Final = 2_000
_SPARE: Final = 4
"""Hits that are read beyond the page at first: reading nodes is most of what a search takes, and few are refused."""
_SNIPPET_BYTES: Final = 512 * 1024


@dataclass(frozen=True, slots=True)
class Found:
    """A node, the label in force, the names of the folders above that the caller sees, and where the words stand."""

    node: Node
    label: Label
    folders: tuple[str, ...]
    snippet: tuple[SnippetPart, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundPage:
    """`after` continues the list and is None at its end."""

    found: Sequence[Found]
    after: Place | None


@dataclass(frozen=True, slots=True)
class Search:
    """The use case; `ready` says whether the indexes of this process hold all that is in the store."""

    nodes: Nodes
    everything: Everything
    indexes: Indexes
    texts: Texts
    content: Content
    directory: Directory
    stemmer: Stemmer
    ready: Callable[[], bool]

    async def __call__(
        self, subject: Subject, query: Query, filters: Filters, after: Place | None, limit: int
    ) -> FoundPage:
        """At most `limit` of them; fewer, and not the end, when very many hits in a row were not for the caller.

        Raises:
            NotFound: the space or the folder to search in is not there for the caller.
            Transient: INDEX_BUILDING.
        """
        if not self.ready():
            raise Transient("the index is being made", reason="INDEX_BUILDING")
        for node_id in filter(None, (filters.space_id, filters.folder_id)):
            await open_node(self.nodes, subject, node_id)
        roots = await self._roots(subject)
        found, looked_at, batch = list[Found](), 0, limit + _SPARE
        while looked_at < _MOST_LOOKED_AT:
            places = await self._places(roots, query, filters, after, batch)
            for place, one in await self._judged(subject, filters, places):
                after = place
                if one is not None:
                    found.append(one)
                if len(found) == limit:
                    return FoundPage(await self._shown(found, query), place)
            if len(places) < batch:
                return FoundPage(await self._shown(found, query), None)
            looked_at, batch = looked_at + len(places), 2 * limit
        return FoundPage(await self._shown(found, query), after)

    async def _roots(self, subject: Subject) -> dict[str, list[str]]:
        """The nodes with a grant that concerns the caller, by entity: nothing else, and nothing above, is theirs."""
        grantees = [subject.grantee]
        if subject.kind is GranteeKind.PERSON:
            grantees.append(Grantee(GranteeKind.ENTITY, subject.entity_id))
            grantees += (Grantee(GranteeKind.GROUP, group_id) for group_id in self.directory.groups_of(subject.id))
        roots, count = dict[str, list[str]](), 0
        async for entity_id, node_id in self.everything.roots(grantees):
            roots.setdefault(entity_id, []).append(node_id)
            count += 1
            if count == _MOST_ROOTS:
                break
        return roots

    async def _places(
        self, roots: dict[str, list[str]], query: Query, filters: Filters, after: Place | None, limit: int
    ) -> Sequence[Place]:
        """The next ones of all entities in one order."""

        async def of(entity_id: str) -> Sequence[Place]:
            index = await self.indexes.answering(entity_id)
            try:
                return await index.find(query, filters, roots[entity_id], after, limit) if index else ()
            except NotFound:  # its keys are destroyed, and it goes soon
                return ()

        found = await asyncio.gather(*map(of, roots))
        return sorted((place for places in found for place in places), key=lambda place: place.sort_key)[:limit]

    async def _judged(
        self, subject: Subject, filters: Filters, places: Sequence[Place]
    ) -> Sequence[tuple[Place, Found | None]]:
        """Each place with what the caller may see there and looks for."""
        nodes = {node.node_id: node for node in await self.everything.some([place.node_id for place in places])}
        paths = await self.everything.paths(list(nodes.values()))
        return [(place, _seen(subject, filters, paths.get(place.node_id, ()))) for place in places]

    async def _shown(self, found: Sequence[Found], query: Query) -> Sequence[Found]:
        """With snippets; only now, for those that are shown."""
        refs = [one.node.versions[-1].blob for one in found if one.node.versions]
        texts = await self.texts.find(refs)
        sought = frozenset().union(*map(self.stemmer.stems, (*query.words, *(w for p in query.phrases for w in p))))

        def matches(word: str) -> bool:
            return bool(self.stemmer.stems(word) & sought) or word.startswith(query.beginnings or ("\0",))

        async def shown(one: Found) -> Found:
            extracted = texts.get(one.node.versions[-1].blob) if one.node.versions else None
            if extracted is None or not extracted.text_ref:
                return one
            return replace(one, snippet=snippet(await self._text(extracted.text_ref), query.sought, matches))

        return [await shown(one) for one in found]

    async def _text(self, ref: str) -> str:
        try:
            content = [chunk async for chunk in self.content.get(ref, 0, _SNIPPET_BYTES)]
        except NotFound:
            return ""
        return b"".join(content).decode(errors="ignore")


def _seen(subject: Subject, filters: Filters, path: Sequence[Node]) -> Found | None:
    """The last node of the path, if the caller may read it now and it is what they look for."""
    if not path or any(node.trashed for node in path) or decide(subject, path).role is Role.NONE:
        return None
    label = label_of(path)
    if filters.labels and (label or Label.PUBLIC) not in filters.labels:
        return None
    if filters.folder_id and all(node.node_id != filters.folder_id for node in path[:-1]):
        return None
    seen = [depth for depth in range(1, len(path)) if decide(subject, path[:depth]).role is not Role.NONE]
    folders = tuple(path[depth - 1].name for depth in seen)
    if filters.folder and not names_hold(folders, filters.folder):
        return None
    return Found(path[-1], label, folders)
