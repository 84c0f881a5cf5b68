"""What a caller may not see does not exist: ids of another entity's things are NOT_FOUND, method by method."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import grpc
import grpc.aio
import pytest
import pytest_asyncio
from cli.client import Client
from cli.demo.stage import Cast
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.timestamp_pb2 import Timestamp
from rossio.document.v1 import document_pb2
from rossio.document.v1 import service_pb2 as doc
from rossio.governance.v1 import service_pb2 as governance
from rossio.mail.v1 import access_pb2 as mail_access
from rossio.mail.v1 import moderation_pb2 as moderation
from rossio.mail.v1 import rules_pb2 as mail_rules
from rossio.mail.v1 import service_pb2 as mail
from rossio.news.v1 import news_pb2
from rossio.news.v1 import service_pb2 as news
from rossio.notification.v1 import bulk_pb2 as bulk
from rossio.notification.v1 import notification_pb2
from rossio.notification.v1 import service_pb2 as notification
from rossio.notification.v1 import template_pb2 as template

from tests.e2e.running import Running
from tests.e2e.test_denied import METHODS

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio(loop_scope="session")]


@dataclass(frozen=True, slots=True)
class Things:
    """What people of e01 have made and nobody else may know of."""

    space_id: str
    file_id: str
    upload_id: str
    grant_id: str
    draft: news_pb2.Post
    post: news_pb2.Post
    comment_id: str
    message_id: str
    prescription_id: str
    job_id: str
    device_id: str
    password_id: str
    rule_id: str


def one() -> str:
    return str(uuid4())


async def upload(client: Client, folder: str, name: str) -> str:
    content = b"confidencial"

    async def parts() -> AsyncIterator[doc.UploadRequest]:
        yield doc.UploadRequest(
            header=doc.UploadHeader(request_id=one(), parent_id=folder, name=name, size=len(content))
        )
        yield doc.UploadRequest(chunk=content)

    return (await client.document.Upload(parts())).node.node_id


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def things(running: Running) -> Things:
    cast = running.stage.cast
    editor, doctor = cast.person("e01", "news.editor"), cast.person("e01", "prescriber")
    client, prescribing = await running.stage.client(editor), await running.stage.client(doctor)
    space = (
        await client.document.CreateSpace(doc.CreateSpaceRequest(request_id=one(), name=one(), personal=True))
    ).space
    file_id = await upload(client, space.space_id, "segredo.txt")
    upcoming = doc.UploadHeader(parent_id=space.space_id, name="novo.txt", size=9)
    begun = (await client.transfer.CreateUpload(doc.CreateUploadRequest(request_id=one(), header=upcoming))).upload
    grant = (
        await client.document.Share(
            doc.ShareRequest(
                request_id=one(),
                node_id=file_id,
                grantee=document_pb2.Grantee(person_id=doctor.person_id),
                role=document_pb2.ROLE_READER,
            )
        )
    ).grant
    variants = [news_pb2.Variant(locale="pt-PT", title="Só para a casa", body="Texto.")]
    posts = []
    for _ in range(2):
        request = news.CreatePostRequest(request_id=one(), variants=variants, audience='entity = "e01"', mandatory=True)
        request.acknowledge_by.FromDatetime(datetime.now(UTC) + timedelta(days=3))
        posts.append((await client.news.CreatePost(request)).post)
    draft, post = posts
    publish = news.PublishPostRequest(request_id=one(), post_id=post.post_id, etag=post.etag)
    post = (await client.news.PublishPost(publish)).post
    say = news.AddCommentRequest(request_id=one(), post_id=post.post_id, text="Só entre nós.")
    comment = (await client.news.AddComment(say)).comment
    address = editor.addresses[0]
    content = f"From: {address}\r\nSubject: x\r\n\r\nx\r\n".encode()
    submit = mail.SubmitRequest(request_id=one(), sender=address, recipients=[doctor.addresses[0]], content=content)
    new_password = mail_access.CreateAppPasswordRequest(request_id=one(), name="phone")
    sent = await prescribing.notification.SendPrescription(
        notification.SendPrescriptionRequest(
            request_id=one(),
            prescription_number="1" * 19,
            access_code="123456",
            option_code="1234",
            mobile="+351912345678",
        )
    )
    webhook = notification.RegisterDeviceRequest(request_id=one(), url="https://avisos.example/x")
    return Things(
        space.space_id,
        file_id,
        begun.upload_id,
        grant.grant_id,
        draft,
        post,
        comment.comment_id,
        (await client.mail.Submit(submit)).message_id,
        sent.notification_id,
        await bulk_job(running),
        (await client.notification.RegisterDevice(webhook)).device_id,
        (await client.mail.CreateAppPassword(new_password)).app_password.password_id,
        await mail_rule(running, editor.person_id),
    )


async def bulk_job(running: Running) -> str:
    """A bulk job of e01, to somebody who does not exist."""
    name, by = "segredo", running.stage.cast.person("e01").person_id

    def token(subject: str, *roles: str) -> str:
        return running.suite.issuer.token(subject, entity="e01", roles=[f"notification.{role}" for role in roles])

    author, approver = token(by, "author", "bulk"), token("p-approver", "approver")
    text = template.TemplateText(locale="pt-PT", title="x", mail="x")
    put = notification.PutTemplateRequest(
        request_id=one(), name=name, topic=notification_pb2.TOPIC_SERVICE, texts=[text]
    )
    async with Client(running.stage.stack.endpoints, lambda: author) as client:
        version = (await client.sending.PutTemplate(put)).template.version
        async with Client(running.stage.stack.endpoints, lambda: approver) as other:
            await other.sending.ApproveTemplate(
                notification.ApproveTemplateRequest(request_id=one(), name=name, version=version)
            )
        table = b"email\ndelivered@simulated.invalid\n"
        return (
            await client.bulk.StartBulk(bulk.StartBulkRequest(request_id=one(), template=name, table=table))
        ).job.job_id


async def mail_rule(running: Running, person_id: str) -> str:
    """A rule of e01 that holds for no mail."""
    token = running.suite.issuer.token(person_id, entity="e01", roles=["mail.admin"])
    nobody = mail_rules.RuleCondition(field="sender", values=["nobody@nowhere.test"])
    rule = mail_rules.Rule(name="x", conditions=[nobody], actions=[mail_rules.RuleAction(verb="stop")])
    async with Client(running.stage.stack.endpoints, lambda: token) as client:
        made = await client.mail.PutRule(mail_rules.PutRuleRequest(request_id=one(), rule=rule))
    return made.rule.rule_id


async def _upload_into(client: Client, **header: str) -> None:
    async def parts() -> AsyncIterator[doc.UploadRequest]:
        yield doc.UploadRequest(header=doc.UploadHeader(request_id=one(), size=1, **header))
        yield doc.UploadRequest(chunk=b"x")

    await client.document.Upload(parts())


async def _append(client: Client, upload_id: str) -> None:
    async def parts() -> AsyncIterator[doc.AppendUploadRequest]:
        yield doc.AppendUploadRequest(header=doc.AppendHeader(request_id=one(), upload_id=upload_id))
        yield doc.AppendUploadRequest(chunk=b"x")

    await client.transfer.AppendUpload(parts())


async def _drain(stream: Any) -> None:
    async for _ in stream:
        pass


Call = Callable[[Client, Things, Cast], Awaitable[Any]]
FOREIGN: dict[str, Call] = {
    "DocumentService.CreateFolder": lambda c, t, _: c.document.CreateFolder(
        doc.CreateFolderRequest(request_id=one(), parent_id=t.space_id, name="x")
    ),
    "DocumentService.ListFolder": lambda c, t, _: c.document.ListFolder(doc.ListFolderRequest(node_id=t.space_id)),
    "DocumentService.GetNode": lambda c, t, _: c.document.GetNode(doc.GetNodeRequest(node_id=t.file_id)),
    "DocumentService.Upload": lambda c, t, _: _upload_into(c, parent_id=t.space_id, name="x"),
    "DocumentService.Upload of a version": lambda c, t, _: _upload_into(c, node_id=t.file_id),
    "DocumentService.Download": lambda c, t, _: _drain(c.document.Download(doc.DownloadRequest(node_id=t.file_id))),
    "DocumentService.ListVersions": lambda c, t, _: c.document.ListVersions(doc.ListVersionsRequest(node_id=t.file_id)),
    "DocumentService.Share": lambda c, t, cast: c.document.Share(
        doc.ShareRequest(
            request_id=one(),
            node_id=t.file_id,
            grantee=document_pb2.Grantee(person_id=cast.person("e02").person_id),
            role=document_pb2.ROLE_READER,
        )
    ),
    "DocumentService.Unshare": lambda c, t, _: c.document.Unshare(
        doc.UnshareRequest(request_id=one(), node_id=t.file_id, grant_id=t.grant_id)
    ),
    "DocumentService.ListGrants": lambda c, t, _: c.document.ListGrants(doc.ListGrantsRequest(node_id=t.file_id)),
    "DocumentService.Trash": lambda c, t, _: c.document.Trash(doc.TrashRequest(request_id=one(), node_id=t.file_id)),
    "DocumentService.SetLabel": lambda c, t, _: c.document.SetLabel(
        doc.SetLabelRequest(request_id=one(), node_id=t.file_id, label=document_pb2.LABEL_PUBLIC)
    ),
    "DocumentService.Why": lambda c, t, _: c.document.Why(doc.WhyRequest(node_id=t.file_id)),
    "DocumentService.Rename": lambda c, t, _: c.document.Rename(
        doc.RenameRequest(request_id=one(), node_id=t.file_id, name="x")
    ),
    "DocumentService.Move": lambda c, t, _: c.document.Move(
        doc.MoveRequest(request_id=one(), node_id=t.file_id, parent_id=t.space_id)
    ),
    "DocumentService.Copy": lambda c, t, _: c.document.Copy(
        doc.CopyRequest(request_id=one(), node_id=t.file_id, parent_id=t.space_id)
    ),
    "DocumentService.Restore": lambda c, t, _: c.document.Restore(
        doc.RestoreRequest(request_id=one(), node_id=t.file_id)
    ),
    "DocumentService.ListTrash": lambda c, t, _: c.document.ListTrash(doc.ListTrashRequest(space_id=t.space_id)),
    "DocumentService.Purge": lambda c, t, _: c.document.Purge(doc.PurgeRequest(request_id=one(), node_id=t.file_id)),
    "DocumentService.RestoreVersion": lambda c, t, _: c.document.RestoreVersion(
        doc.RestoreVersionRequest(request_id=one(), node_id=t.file_id, number=1)
    ),
    "DocumentService.FreezeVersion": lambda c, t, _: c.document.FreezeVersion(
        doc.FreezeVersionRequest(request_id=one(), node_id=t.file_id, number=1)
    ),
    "DocumentService.DeleteVersion": lambda c, t, _: c.document.DeleteVersion(
        doc.DeleteVersionRequest(request_id=one(), node_id=t.file_id, number=1)
    ),
    "DocumentService.Lock": lambda c, t, _: c.document.Lock(doc.LockRequest(request_id=one(), node_id=t.file_id)),
    "DocumentService.Unlock": lambda c, t, _: c.document.Unlock(doc.UnlockRequest(request_id=one(), node_id=t.file_id)),
    "DocumentService.CreateLink": lambda c, t, _: c.document.CreateLink(
        doc.CreateLinkRequest(request_id=one(), node_id=t.file_id, expires_at=Timestamp(seconds=4_000_000_000))
    ),
    "DocumentService.ListLinks": lambda c, t, _: c.document.ListLinks(doc.ListLinksRequest(node_id=t.file_id)),
    "DocumentService.RevokeLink": lambda c, t, _: c.document.RevokeLink(
        doc.RevokeLinkRequest(request_id=one(), node_id=t.file_id, link_id="l")
    ),
    "DocumentService.GetQuota": lambda c, t, _: c.document.GetQuota(doc.GetQuotaRequest(space_id=t.space_id)),
    "DocumentService.SetSpaceQuota": lambda c, t, _: c.document.SetSpaceQuota(
        doc.SetSpaceQuotaRequest(request_id=one(), space_id=t.space_id, limit=1)
    ),
    "ChangeService.Watch": lambda c, t, _: _drain(c.changes.Watch(doc.WatchRequest(space_id=t.space_id))),
    "SearchService.Search": lambda c, t, _: c.searching.Search(doc.SearchRequest(query="x", space_id=t.space_id)),
    "SearchService.GetExtraction": lambda c, t, _: c.searching.GetExtraction(
        doc.GetExtractionRequest(node_id=t.file_id)
    ),
    "DocumentService.RecountUsage": lambda c, _, __: c.document.RecountUsage(
        doc.RecountUsageRequest(request_id=one(), entity_id="e01")
    ),
    "SearchService.Reindex": lambda c, _, __: c.searching.Reindex(
        doc.ReindexRequest(request_id=one(), entity_id="e01")
    ),
    "KeyService.RotateKeys": lambda c, _, __: c.keys.RotateKeys(
        doc.RotateKeysRequest(request_id=one(), entity_id="e01")
    ),
    "KeyService.ShredEntity": lambda c, _, __: c.keys.ShredEntity(
        doc.ShredEntityRequest(request_id=one(), entity_id="e01", reason="x")
    ),
    "TransferService.CreateUpload": lambda c, t, _: c.transfer.CreateUpload(
        doc.CreateUploadRequest(request_id=one(), header=doc.UploadHeader(parent_id=t.space_id, name="x", size=1))
    ),
    "TransferService.AppendUpload": lambda c, t, _: _append(c, t.upload_id),
    "TransferService.GetUpload": lambda c, t, _: c.transfer.GetUpload(doc.GetUploadRequest(upload_id=t.upload_id)),
    "TransferService.DeleteUpload": lambda c, t, _: c.transfer.DeleteUpload(
        doc.DeleteUploadRequest(request_id=one(), upload_id=t.upload_id)
    ),
    "NewsService.UpdatePost": lambda c, t, _: c.news.UpdatePost(
        news.UpdatePostRequest(
            request_id=one(),
            post_id=t.draft.post_id,
            etag=t.draft.etag,
            variants=[news_pb2.Variant(locale="pt-PT", title="x", body="x")],
            audience="all",
        )
    ),
    "NewsService.PublishPost": lambda c, t, _: c.news.PublishPost(
        news.PublishPostRequest(request_id=one(), post_id=t.draft.post_id, etag=t.draft.etag)
    ),
    "NewsService.SubmitPost": lambda c, t, _: c.news.SubmitPost(
        news.SubmitPostRequest(request_id=one(), post_id=t.draft.post_id, etag=t.draft.etag)
    ),
    "NewsService.ReviewPost": lambda c, t, _: c.news.ReviewPost(
        news.ReviewPostRequest(request_id=one(), post_id=t.draft.post_id, etag=t.draft.etag, approve=True)
    ),
    "NewsService.SchedulePost": lambda c, t, _: c.news.SchedulePost(
        news.SchedulePostRequest(
            request_id=one(), post_id=t.draft.post_id, etag=t.draft.etag, publish_at=t.draft.acknowledge_by
        )
    ),
    "NewsService.ArchivePost": lambda c, t, _: c.news.ArchivePost(
        news.ArchivePostRequest(request_id=one(), post_id=t.post.post_id)
    ),
    "NewsService.GetFindings": lambda c, t, _: c.news.GetFindings(news.GetFindingsRequest(post_id=t.draft.post_id)),
    "NewsService.GetHistory": lambda c, t, _: c.news.GetHistory(news.GetHistoryRequest(post_id=t.draft.post_id)),
    "NewsService.GetMissingCounts": lambda c, t, _: c.news.GetMissingCounts(
        news.GetMissingCountsRequest(post_id=t.post.post_id)
    ),
    "NewsService.DownloadRoll": lambda c, t, _: _drain(
        c.news.DownloadRoll(news.DownloadRollRequest(post_id=t.post.post_id))
    ),
    "NewsService.GetReach": lambda c, t, _: c.news.GetReach(news.GetReachRequest(post_id=t.post.post_id)),
    "NewsService.GetAlert": lambda c, t, _: c.news.GetAlert(news.GetAlertRequest(post_id=t.post.post_id)),
    "NewsService.AddComment": lambda c, t, _: c.news.AddComment(
        news.AddCommentRequest(request_id=one(), post_id=t.post.post_id, text="x")
    ),
    "NewsService.ListComments": lambda c, t, _: c.news.ListComments(news.ListCommentsRequest(post_id=t.post.post_id)),
    "NewsService.DeleteComment": lambda c, t, _: c.news.DeleteComment(
        news.DeleteCommentRequest(request_id=one(), comment_id=t.comment_id)
    ),
    "NewsService.ModerateComment": lambda c, t, _: c.news.ModerateComment(
        news.ModerateCommentRequest(request_id=one(), comment_id=t.comment_id, hide=True, reason="x")
    ),
    "NewsService.React": lambda c, t, _: c.news.React(news.ReactRequest(request_id=one(), post_id=t.post.post_id)),
    "NewsService.GetReactions": lambda c, t, _: c.news.GetReactions(news.GetReactionsRequest(post_id=t.post.post_id)),
    "NewsService.RetractPost": lambda c, t, _: c.news.RetractPost(
        news.RetractPostRequest(request_id=one(), post_id=t.post.post_id, reason="x")
    ),
    "NewsService.GetPost": lambda c, t, _: c.news.GetPost(news.GetPostRequest(post_id=t.post.post_id)),
    "NewsService.Acknowledge": lambda c, t, _: c.news.Acknowledge(
        news.AcknowledgeRequest(request_id=one(), post_id=t.post.post_id, text_version=t.post.text_version)
    ),
    "NewsService.ListMissing": lambda c, t, _: c.news.ListMissing(news.ListMissingRequest(post_id=t.post.post_id)),
    "NotificationService.Why": lambda c, t, _: c.notification.Why(
        notification.WhyRequest(notification_id=t.prescription_id)
    ),
    "BulkService.GetBulk": lambda c, t, _: c.bulk.GetBulk(bulk.GetBulkRequest(job_id=t.job_id)),
    "BulkService.PauseBulk": lambda c, t, _: c.bulk.PauseBulk(bulk.PauseBulkRequest(request_id=one(), job_id=t.job_id)),
    "BulkService.ResumeBulk": lambda c, t, _: c.bulk.ResumeBulk(
        bulk.ResumeBulkRequest(request_id=one(), job_id=t.job_id)
    ),
    "BulkService.RetryBulk": lambda c, t, _: c.bulk.RetryBulk(bulk.RetryBulkRequest(request_id=one(), job_id=t.job_id)),
    "NotificationService.RemoveDevice": lambda c, t, _: c.notification.RemoveDevice(
        notification.RemoveDeviceRequest(request_id=one(), device_id=t.device_id)
    ),
    "MailService.Trace": lambda c, t, _: _drain(c.mail.Trace(mail.TraceRequest(message_id=t.message_id))),
    "MailService.RevokeAppPassword": lambda c, t, _: c.mail.RevokeAppPassword(
        mail_access.RevokeAppPasswordRequest(request_id=one(), password_id=t.password_id)
    ),
    "MailService.RemoveRule": lambda c, t, _: c.mail.RemoveRule(
        mail_rules.RemoveRuleRequest(request_id=one(), rule_id=t.rule_id)
    ),
    "MailService.ReleaseQuarantined": lambda c, t, _: c.mail.ReleaseQuarantined(
        mail_rules.ReleaseQuarantinedRequest(request_id=one(), quarantine_id=f"{t.message_id}/0")
    ),
    "MailService.DropQuarantined": lambda c, t, _: c.mail.DropQuarantined(
        mail_rules.DropQuarantinedRequest(request_id=one(), quarantine_id=f"{t.message_id}/0")
    ),
    "ModerationService.GetModerated": lambda c, t, _: c.mail_moderation.GetModerated(
        moderation.GetModeratedRequest(moderation_id=f"{t.message_id}:{t.rule_id}")
    ),
    "ModerationService.ApproveModerated": lambda c, t, _: c.mail_moderation.ApproveModerated(
        moderation.ApproveModeratedRequest(request_id=one(), moderation_id=f"{t.message_id}:{t.rule_id}")
    ),
    "ModerationService.RejectModerated": lambda c, t, _: c.mail_moderation.RejectModerated(
        moderation.RejectModeratedRequest(request_id=one(), moderation_id=f"{t.message_id}:{t.rule_id}")
    ),
    "GovernanceService.ListAuditRecords": lambda c, _, __: _drain(
        c.governance.ListAuditRecords(governance.ListAuditRecordsRequest(entity_id="e01"))
    ),
}
# One ministry, one address book: these name people, groups and entities, which everybody may look up.
OPEN = {
    "ListPeople",
    "PutPerson",
    "PutGroup",
    "GetPerson",
    "GetGroup",
    "MarkRead",
    "WatchInbox",
    "SetEntityQuota",
    "SetDelegate",
    "CreateSpace",
    "ChangeQueue",  # counts what is not there as unchanged: services/mail-routing/tests/component/test_queue.py
}


def ids(method: MethodDescriptor) -> set[str]:
    fields = list(method.input_type.fields)
    fields += [
        f for field in fields if field.name == "header" and field.message_type for f in field.message_type.fields
    ]
    return {field.name for field in fields if field.name.endswith(("_id", "_ids")) and field.name != "request_id"}


async def test_every_method_that_takes_an_id_has_a_row() -> None:
    named = {row.split()[0] for row in FOREIGN}
    asked = {f"{m.containing_service.name}.{m.name}" for _, m, _ in METHODS if ids(m) and m.name not in OPEN}
    assert asked == named


@pytest.mark.parametrize("row", FOREIGN)
async def test_what_another_entity_has_does_not_exist(running: Running, things: Things, row: str) -> None:
    """The caller has every role that the method asks for, in another entity."""
    roles = {
        "news.editor", "news.approver", "document.admin", "document.keys", "mail.admin", "governance.auditor",
        "prescriber", "notification.bulk",
    }  # fmt: skip
    stranger = running.stage.cast.person("e02")
    token = running.suite.issuer.token(stranger.person_id, entity="e02", roles=roles)
    async with Client(running.stage.stack.endpoints, lambda: token) as client:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await FOREIGN[row](client, things, running.stage.cast)
    assert refused.value.code() == grpc.StatusCode.NOT_FOUND, refused.value.details()


async def test_people_are_changed_by_their_own_entity_only(running: Running) -> None:
    from rossio.directory.v1 import service_pb2 as directory

    person = running.stage.cast.person("e01")
    token = running.suite.issuer.token("p999999", entity="e02", roles=["directory.admin"])
    async with Client(running.stage.stack.endpoints, lambda: token) as client:
        known = (await client.directory.GetPerson(directory.GetPersonRequest(name=person.person_id))).person
        known.family_name = "Outro"
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await client.directory.PutPerson(directory.PutPersonRequest(request_id=one(), person=known))
    assert refused.value.code() in {grpc.StatusCode.NOT_FOUND, grpc.StatusCode.PERMISSION_DENIED}
