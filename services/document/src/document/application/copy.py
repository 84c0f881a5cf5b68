"""Copy: a file, or a folder with all in it that the caller may read; its content is referred to, not copied.

The copy of a folder grows out of sight and appears whole. A repeated request goes on where one broke off.
"""

from collections.abc import Sequence
from dataclasses import replace

from errors import Conflict
from telemetry import points

from document.application import effects
from document.application.access import Opened, open_node
from document.application.ports import Content, Nodes, Position
from document.domain.deeds import Deed, Verb
from document.domain.node import Act, Kind, Node
from document.domain.permissions import Role, Subject, decide
from document.domain.tree import copied

_BATCH = 200


async def copy(nodes: Nodes, content: Content, act: Act, node_id: str, parent_id: str, name: str) -> Node:
    """The copy in the folder; an empty name keeps that of the original.

    Raises:
        NotFound, NotAllowed: by `permit`.
        Invalid: it cannot lie there.
        Conflict: ALREADY_EXISTS.
    """
    source = await open_node(nodes, act.subject, node_id)
    to = await open_node(nodes, act.subject, parent_id, Role.EDITOR)
    root = copied(source.path, act, to.path, name)
    if done := await effects.done_before(nodes, act, root.node_id):
        return done
    deed = Deed(Verb.COPY, act)
    await _keep(content, [root])
    if source.node.kind is Kind.FILE:
        return await effects.add(nodes, root, deed)
    if await nodes.named(*root.place):
        raise effects.name_taken()
    arriving = replace(root, arriving=True)
    await nodes.add_all([arriving], None)
    points.reached("document.copy.begun")
    await _fill(nodes, content, act, source, (*to.path, root))
    points.reached("document.copy.filled")
    return await _arrive(nodes, act, arriving, replace(root, revision=arriving.revision + 1))


async def _arrive(nodes: Nodes, act: Act, arriving: Node, arrived: Node) -> Node:
    """Shows the copy, unless the same request beside this one has shown it."""
    refusal: Conflict | None = None
    try:
        await nodes.change(arriving, arrived, Deed(Verb.COPY, act))
    except Conflict as conflict:
        refusal = conflict
    points.reached("document.copy.arrived")
    done = await effects.done_before(nodes, act, arrived.node_id)
    if done is None:
        raise effects.name_taken() from refusal
    return done


async def _fill(nodes: Nodes, content: Content, act: Act, source: Opened, to: Sequence[Node]) -> None:
    """Copies all below the source into the last folder of `to`, level by level."""
    waiting = [(tuple(source.path), tuple(to))]
    while waiting:
        path, into = waiting.pop()
        after: Position | None = None
        while True:
            page = await nodes.children(path[-1].node_id, after, _BATCH)
            pairs = [(child, copied((*path, child), act, into, "")) for child in _seen(act.subject, path, page.nodes)]
            await _keep(content, [made for _, made in pairs])
            await nodes.add_all([made for _, made in pairs], Deed(Verb.COPY, act))
            points.reached("document.copy.some")
            waiting += [((*path, child), (*into, made)) for child, made in pairs if child.kind is Kind.FOLDER]
            after = page.after
            if after is None:
                break


async def _keep(content: Content, made: Sequence[Node]) -> None:
    """Keeps from collection what the copies will refer to: its originals may lose it at this moment."""
    for node in made:
        for version in node.versions:
            await content.touch(version.blob)


def _seen(subject: Subject, path: Sequence[Node], children: Sequence[Node]) -> list[Node]:
    return [child for child in children if decide(subject, (*path, child)).role is not Role.NONE]
