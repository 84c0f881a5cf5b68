"""Sends a mail; the package `rossio` is made from protos/ (`pip install ./protos`)."""

import os
import uuid

import grpc
from rossio.mail.v1 import service_pb2, service_pb2_grpc

sender, recipient = os.environ["FROM"], os.environ["TO"]
content = f"From: {sender}\r\nTo: {recipient}\r\nSubject: From Python\r\n\r\nHello.\r\n".encode()
with grpc.insecure_channel(os.environ["ROSSIO_MAIL"]) as channel:
    request = service_pb2.SubmitRequest(
        request_id=str(uuid.uuid4()), sender=sender, recipients=[recipient], content=content
    )
    submit = service_pb2_grpc.MailServiceStub(channel).Submit
    answer = submit(request, metadata=[("authorization", f"Bearer {os.environ['ROSSIO_TOKEN']}")], timeout=30)
    print(answer.message_id)
