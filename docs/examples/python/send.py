"""Sends a mail; the package `rossio` is made from protos/ (`pip install ./protos`)."""

import asyncio
import os
import uuid

import grpc.aio
from rossio.mail.v1 import service_pb2, service_pb2_grpc


async def send(sender: str, recipient: str) -> str:
    """Returns the id of the mail when it is durable."""
    content = f"From: {sender}\r\nTo: {recipient}\r\nSubject: From Python\r\n\r\nHello.\r\n".encode()
    identity = (("authorization", f"Bearer {os.environ['ROSSIO_TOKEN']}"),)
    async with grpc.aio.insecure_channel(os.environ["ROSSIO_MAIL"]) as channel:
        request = service_pb2.SubmitRequest(
            request_id=str(uuid.uuid4()), sender=sender, recipients=[recipient], content=content
        )
        answer = await service_pb2_grpc.MailServiceStub(channel).Submit(request, metadata=identity, timeout=30)
        return answer.message_id


print(asyncio.run(send(os.environ["FROM"], os.environ["TO"])))
