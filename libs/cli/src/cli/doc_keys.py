"""The keys of an entity's documents: `rossio doc rotate-keys` and `shred`."""

import base64
import json
from typing import Annotated
from uuid import uuid4

import typer
from google.protobuf.json_format import MessageToDict
from rossio.document.v1 import document_pb2, service_pb2

from cli.client import connect
from cli.command import As, sync


@sync
async def rotate_keys(entity: str, caller: As = None) -> None:
    """Gives an entity's documents another data key, and prints how many were wrapped anew."""
    async with connect(caller) as client:
        request = service_pb2.RotateKeysRequest(request_id=str(uuid4()), entity_id=entity)
        print((await client.keys.RotateKeys(request)).contents)


@sync
async def shred(
    entity: str,
    reason: Annotated[str, typer.Option(help="Stands in the receipt: a decision, a law, a case number.")],
    confirm: Annotated[str, typer.Option(help="The entity again: what goes never comes back.", prompt=True)],
    caller: As = None,
) -> None:
    """Destroys the keys of all documents of an entity, and prints the signed receipt as JSON."""
    if confirm != entity:
        raise typer.BadParameter("--confirm names another entity")
    async with connect(caller) as client:
        request = service_pb2.ShredEntityRequest(request_id=str(uuid4()), entity_id=entity, reason=reason)
        answer = await client.keys.ShredEntity(request)
    receipt = MessageToDict(document_pb2.ShreddingReceipt.FromString(answer.receipt))
    parts = {"signed": answer.receipt, "signature": answer.signature, "public_key": answer.public_key}
    encoded = {name: base64.b64encode(part).decode() for name, part in parts.items()}
    print(json.dumps({"receipt": receipt, **encoded}, indent=2, ensure_ascii=False))
