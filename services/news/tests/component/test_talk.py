"""Comments, reactions, moderation; and attachments, which are the document's own matter."""

import asyncio

import grpc
import pytest
import rpc
from rossio.document.v1 import document_pb2
from rossio.document.v1 import service_pb2 as doc
from rossio.document.v1.service_pb2_grpc import DocumentServiceStub
from rossio.news.v1 import news_pb2
from rossio.news.v1 import service_pb2 as pb

from .conftest import new_id

NURSES = 'entity in ("news-a", "news-b") and profession = "nurse"'


async def test_readers_talk_and_the_posts_entity_moderates(start_service, caller, refused, told):
    news = start_service("news")
    editor, ana, eva = caller(news, "news-rui"), caller(news, "news-ana", ""), caller(news, "news-eva", "")
    foreign = caller(news, "news-nuno")
    post = await editor.publish(await editor.draft(NURSES))
    first = await say(ana, post.post_id, "Onde está o gel?", request_id="c1")
    assert await say(ana, post.post_id, "Onde está o gel?", request_id="c1") == first
    answer = await say(eva, post.post_id, "Na entrada.", reply_to=first.comment_id)
    third = await say(eva, post.post_id, "Não presta.")
    assert await comments(ana, post.post_id, page_size=1) == [first, answer, third]

    with refused("INVALID_ARGUMENT", "REASON_MISSING"):
        await moderate(editor, third.comment_id)
    with refused("NOT_FOUND", "COMMENT_NOT_FOUND"):
        await moderate(foreign, third.comment_id, reason="não gosto")
    await moderate(editor, third.comment_id, reason="ofensivo")
    assert [each.comment_id for each in await comments(ana, post.post_id)] == [first.comment_id, answer.comment_id]
    hidden = (await comments(eva, post.post_id))[-1]
    assert (hidden.hidden, hidden.reason) == (True, "ofensivo"), "its author sees it, and why"
    assert len(await comments(editor, post.post_id)) == 3
    with refused("NOT_FOUND", "COMMENT_NOT_FOUND"):
        await say(ana, post.post_id, "Porquê?", reply_to=third.comment_id)
    with refused("NOT_FOUND", "COMMENT_NOT_FOUND"):
        await delete(ana, answer.comment_id)
    await delete(eva, answer.comment_id)
    await delete(eva, answer.comment_id)
    assert [each.comment_id for each in await comments(ana, post.post_id)] == [first.comment_id]
    with refused("ABORTED", "COMMENT_DELETED"):
        await moderate(editor, answer.comment_id, reason="x")
    actions = [event.action for event in await told.about(third.comment_id, 2)]
    assert sorted(actions) == ["news.comment.add", "news.comment.hide"]
    with refused("NOT_FOUND", "POST_NOT_FOUND"):
        await comments(caller(news, "news-nuno", ""), post.post_id)


async def test_everybody_has_one_reaction(start_service, caller, refused):
    news = start_service("news")
    editor, ana, eva = caller(news, "news-rui"), caller(news, "news-ana", ""), caller(news, "news-eva", "")
    post = await editor.publish(await editor.draft(NURSES))
    await asyncio.gather(
        react(ana, post.post_id, news_pb2.REACTION_LIKE), react(eva, post.post_id, news_pb2.REACTION_LIKE)
    )
    await react(eva, post.post_id, news_pb2.REACTION_THANKS)
    seen = await eva.stub.GetReactions(pb.GetReactionsRequest(post_id=post.post_id))
    assert {each.reaction: each.count for each in seen.counts} == {
        news_pb2.REACTION_LIKE: 1,
        news_pb2.REACTION_THANKS: 1,
    }
    assert seen.own == news_pb2.REACTION_THANKS
    await react(eva, post.post_id, news_pb2.REACTION_UNSPECIFIED)
    seen = await eva.stub.GetReactions(pb.GetReactionsRequest(post_id=post.post_id))
    assert (len(seen.counts), seen.own) == (1, news_pb2.REACTION_UNSPECIFIED)
    options = news_pb2.PostOptions(comments_closed=True)
    closed = await editor.publish(await editor.draft(NURSES, options=options))
    with refused("ABORTED", "COMMENTS_CLOSED"):
        await react(ana, closed.post_id, news_pb2.REACTION_LIKE)
    with refused("ABORTED", "COMMENTS_CLOSED"):
        await say(ana, closed.post_id, "x")


async def test_an_attachment_is_opened_by_who_may_open_the_document(start_service, caller, issuer):
    news, documents = start_service("news"), start_service("document")
    editor, ana, eva = caller(news, "news-rui"), caller(news, "news-ana", ""), caller(news, "news-eva", "")
    async with rpc.channel(documents.grpc, token=lambda: token(issuer, "news-rui", "news-a")) as channel:
        store = DocumentServiceStub(channel)
        space = await store.CreateSpace(doc.CreateSpaceRequest(request_id=new_id(), name=new_id(), personal=True))
        folder = await store.CreateFolder(
            doc.CreateFolderRequest(request_id=new_id(), parent_id=space.space.space_id, name="Anexos")
        )
        node_id = folder.node.node_id
        grantee = document_pb2.Grantee(person_id="news-ana")
        await store.Share(
            doc.ShareRequest(request_id=new_id(), node_id=node_id, grantee=grantee, role=document_pb2.ROLE_READER)
        )
    attachment = news_pb2.Attachment(node_id=node_id, name="Anexos")
    post = await editor.publish(await editor.draft(NURSES, options=news_pb2.PostOptions(attachments=[attachment])))
    for reader in (ana, eva):
        (found,) = (await reader.get(post.post_id)).post.options.attachments
        assert found == attachment, "both see that there is one"
    async with rpc.channel(documents.grpc, token=lambda: token(issuer, "news-ana", "news-a")) as channel:
        await DocumentServiceStub(channel).ListFolder(doc.ListFolderRequest(node_id=node_id))
    async with rpc.channel(documents.grpc, token=lambda: token(issuer, "news-eva", "news-b")) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await DocumentServiceStub(channel).ListFolder(doc.ListFolderRequest(node_id=node_id))
    assert refusal.value.code() == grpc.StatusCode.NOT_FOUND


def token(issuer, person_id, entity_id):
    return issuer.token(person_id, entity=entity_id, roles=[])


async def say(person, post_id, text, request_id="", reply_to=""):
    request = pb.AddCommentRequest(request_id=request_id or new_id(), post_id=post_id, text=text, reply_to=reply_to)
    return (await person.stub.AddComment(request)).comment


async def comments(person, post_id: str, page_size: int = 0) -> list[news_pb2.Comment]:
    found: list[news_pb2.Comment] = []
    token = ""
    while True:
        request = pb.ListCommentsRequest(post_id=post_id, page_size=page_size, page_token=token)
        page = await person.stub.ListComments(request)
        found += page.comments
        token = page.next_page_token
        if not token:
            return found


async def moderate(person, comment_id: str, reason: str = "") -> None:
    await person.stub.ModerateComment(
        pb.ModerateCommentRequest(request_id=new_id(), comment_id=comment_id, hide=True, reason=reason)
    )


async def delete(person, comment_id: str) -> None:
    await person.stub.DeleteComment(pb.DeleteCommentRequest(request_id=new_id(), comment_id=comment_id))


async def react(person, post_id: str, reaction: news_pb2.Reaction.ValueType) -> None:
    await person.stub.React(pb.ReactRequest(request_id=new_id(), post_id=post_id, reaction=reaction))
