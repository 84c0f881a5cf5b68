"""Shards as documents.

    {_id, version, message_id, number, plan: {id, shards}, traceparent, due, parties: [...], accepted_at,
     message: {...}, content: bytes | blob: ref, treatment: {...}, quarantined: entity, moderated: [...],
     deliveries: [{...}], since, onward: [{class, ids}], queued: [...], queued_at, sites: [...], held, urged, claimed,
     ended_at, outbox: [...]}

`due` stands only while a recipient waits and is not held, or something waits for moderators, so that its sparse index
holds nothing else; urgent and bulk mail have a field of their own for it. The content of a small mail stands as long as
some of it may go on, `queued`, the keys by which administrators find it, while a recipient waits, and `moderated`,
those by which moderators do, while something waits for them. `ended_at` stands once nothing of all this does.
`parties` are the addresses, entities and principals that may ask what became of the mail, and its Message-ID, by which
they may.
"""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

from store import known

from mail_routing.domain import moderation, quarantine, queue
from mail_routing.domain.address import canonical
from mail_routing.domain.delivery import Delivery, Onward, Plan, Shard, State, Try
from mail_routing.domain.message import BlobContent, Message, MessageClass, Origin, Recipient
from mail_routing.domain.route import Destination, Kind
from mail_routing.domain.rules import Decision
from mail_routing.domain.treatment import NONE, Treatment

Document = dict[str, Any]

DUE: Final = {MessageClass.NORMAL: "due", MessageClass.URGENT: "due_urgent", MessageClass.BULK: "due_bulk"}
"""The field that says when a mail of the class is tried again."""
WITHOUT_CONTENT: Final = {"outbox": False, "content": False}
"""The projection for whoever asks what became of a mail."""
_FLAGS = ("held", "urged", "claimed")


def address_party(address: str) -> str:
    return f"a:{canonical(address)}"


def entity_party(entity_id: str) -> str:
    return f"e:{entity_id}"


def principal_party(principal: str) -> str:
    return f"p:{principal}"


def internet_message_id_party(internet_message_id: str) -> str:
    """Of a canonical one."""
    return f"m:{internet_message_id}"


def shard_document(shard: Shard) -> Document:
    message = shard.message
    document: Document = {
        "_id": shard.id,
        "message_id": message.message_id,
        "number": shard.number,
        "parties": sorted(set(_parties(shard))),
        "accepted_at": message.accepted_at,
        "message": _message_document(message),
        "deliveries": _delivery_documents(shard),
    }
    if shard.plan is not None:
        document["plan"] = {"id": shard.plan.id, "shards": shard.plan.shards}
    if shard.traceparent:
        document["traceparent"] = shard.traceparent
    if shard.due is not None:
        document[DUE[message.message_class]] = shard.due
        if shard.waiting:
            document |= _queue_fields(shard)
    if isinstance(message.content, BlobContent):
        document["blob"] = message.content.ref
    elif shard.may_go_on:
        document["content"] = message.content
    if shard.treatment != NONE:
        document["treatment"] = _treatment_document(shard.treatment)
    return document | _standing_fields(shard)


def progress_change(shard: Shard) -> dict[str, Document]:
    """The update operators that make a stored shard this one."""
    wanted: Document = {"deliveries": _delivery_documents(shard)}
    due = DUE[shard.message.message_class]
    if shard.due is not None:
        wanted[due] = shard.due
    if shard.waiting:
        wanted |= _queue_fields(shard)
    wanted |= _standing_fields(shard)
    if shard.treatment.held:  # lists nested in those that have gone on are parties from now on
        wanted["parties"] = sorted(set(_parties(shard)))
    optional = {due, "content", "ended_at", "quarantined", "moderated", "queued", "queued_at", "sites", *_FLAGS}
    kept = {*wanted, *(("content",) if shard.may_go_on else ())}
    return {"$set": wanted, "$unset": dict.fromkeys(sorted(optional - kept), "")}


def _queue_fields(shard: Shard) -> Document:
    flags = {name: True for name in _FLAGS if getattr(shard, name)}
    keys = {"queued": list(queue.keys(shard)), "queued_at": shard.message.accepted_at}
    return {**flags, **keys, "sites": list(queue.sites(shard))}


def _standing_fields(shard: Shard) -> Document:
    fields: Document = {}
    if (ended_at := shard.ended_at) is not None:
        fields["ended_at"] = ended_at
    if shard.quarantined:
        fields["quarantined"] = quarantine.owner(shard)
    if shard.pending:
        fields["moderated"] = moderation.keys(shard)
    if shard.since is not None:
        fields["since"] = shard.since
    if shard.onward:
        fields["onward"] = [{"class": each.message_class.value, "ids": list(each.ids)} for each in shard.onward]
    return fields


def _treatment_document(treatment: Treatment) -> Document:
    return {
        "fields": [list(field) for field in treatment.fields],
        "disclaimers": list(treatment.disclaimers),
        "require_tls": treatment.require_tls,
        "kept_back": treatment.kept_back,
        "held": treatment.held,
        "moderators": treatment.moderators,
        "decisions": [asdict(decision) for decision in treatment.decisions],
    }


def _treatment(document: Document) -> Treatment:
    return Treatment(
        fields=tuple((name, value) for name, value in document["fields"]),
        disclaimers=tuple(document["disclaimers"]),
        require_tls=document["require_tls"],
        kept_back=document["kept_back"],
        held=document.get("held", False),
        moderators=document.get("moderators", ""),
        decisions=tuple(known(Decision, decision) for decision in document["decisions"]),
    )


def shard(document: Document) -> Shard:
    plan = document.get("plan")
    message = _message(document)
    return Shard(
        message=message,
        number=document["number"],
        deliveries=tuple(_delivery(found) for found in document["deliveries"]),
        due=document.get(DUE[message.message_class]),
        version=document["version"],
        plan=Plan(plan["id"], plan["shards"]) if plan else None,
        traceparent=document.get("traceparent", ""),
        **{name: document.get(name, False) for name in _FLAGS},
        treatment=_treatment(document["treatment"]) if "treatment" in document else NONE,
        since=document.get("since"),
        onward=tuple(Onward(MessageClass(each["class"]), tuple(each["ids"])) for each in document.get("onward", ())),
    )


def _delivery_documents(shard: Shard) -> list[Document]:
    documents = [delivery_document(delivery) for delivery in shard.deliveries]
    if shard.treatment.held:
        for document, delivery in zip(documents, shard.deliveries, strict=True):
            moderated = {"until": delivery.until, "by": delivery.by}
            document |= {name: value for name, value in moderated.items() if value}
    return documents


def delivery_document(delivery: Delivery) -> Document:
    to = delivery.destination
    document = {
        "kind": to.kind.value,
        "address": to.address,
        "target": to.target,
        "original": to.original,
        "person_id": to.person_id,
        "entity_id": to.entity_id,
        "refusal": to.status,
        "notify": to.notify,
        "forwarded_by": to.forwarded_by,
        "state": delivery.state.value,
        "status": delivery.status,
        "reply": delivery.reply,
        "at": delivery.at,
        "remote": delivery.remote,
        "told": delivery.told,
        "tries": [
            [each.at, each.state.value, each.status, each.reply, *filter(None, (each.by,))] for each in delivery.tries
        ],
    }
    return {name: value for name, value in document.items() if value} | {"attempts": delivery.attempts}


def _delivery(document: Document) -> Delivery:
    text = document.get
    destination = Destination(
        kind=Kind(document["kind"]),
        address=text("address", ""),
        target=text("target", ""),
        original=text("original", ""),
        person_id=text("person_id", ""),
        entity_id=text("entity_id", ""),
        status=text("refusal", ""),
        notify=tuple(document.get("notify", ())),
        forwarded_by=text("forwarded_by", ""),
    )
    return Delivery(
        destination=destination,
        state=State(document["state"]),
        status=text("status", ""),
        reply=text("reply", ""),
        attempts=document["attempts"],
        at=document.get("at"),
        remote=text("remote", ""),
        told=tuple(document.get("told", ())),
        tries=tuple(Try(at, State(state), *said) for at, state, *said in document.get("tries", ())),
        until=document.get("until"),
        by=text("by", ""),
    )


def _message_document(message: Message) -> Document:
    document: Document = {
        "entity_id": message.entity_id,
        "sender": message.sender,
        "size": message.size,
        "class": message.message_class.value,
        "origin": message.origin.value,
        "client": message.client,
        "smtputf8": message.smtputf8,
        "principal": message.principal,
        "envelope_id": message.envelope_id,
        "dsn_return": message.dsn_return,
    }
    if message.require_tls:
        document["require_tls"] = True
    if message.protocol:
        document["protocol"] = message.protocol
    if message.internet_message_id:
        document["internet_message_id"] = message.internet_message_id
    if len(message.recipients) == 1:  # the Received field names it; a longer list stands in the deliveries
        document["recipient"] = message.recipients[0].address
    return document


def _message(document: Document) -> Message:
    envelope = document["message"]
    blob = document.get("blob")
    return Message(
        message_id=document["message_id"],
        entity_id=envelope["entity_id"],
        sender=envelope["sender"],
        recipients=(Recipient(envelope["recipient"]),) if "recipient" in envelope else (),
        content=BlobContent(blob) if blob else document.get("content", b""),
        size=envelope["size"],
        message_class=MessageClass(envelope["class"]),
        accepted_at=document["accepted_at"],
        origin=Origin(envelope["origin"]),
        client=envelope["client"],
        smtputf8=envelope["smtputf8"],
        principal=envelope["principal"],
        envelope_id=envelope["envelope_id"],
        dsn_return=envelope["dsn_return"],
        require_tls=envelope.get("require_tls", False),
        protocol=envelope.get("protocol", ""),
        internet_message_id=envelope.get("internet_message_id", ""),
    )


def _parties(shard: Shard) -> Iterator[str]:
    message = shard.message
    if message.sender:
        yield address_party(message.sender)
    if message.entity_id:
        yield entity_party(message.entity_id)
    if message.principal:
        yield principal_party(message.principal)
    if message.internet_message_id:
        yield internet_message_id_party(message.internet_message_id)
    for delivery in shard.deliveries:
        to = delivery.destination
        yield address_party(to.address)
        yield address_party(to.original)
        if to.entity_id:
            yield entity_party(to.entity_id)
