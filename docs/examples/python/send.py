"""Sends a mail; the package `rossio` is made from protos/ (`pip install ./protos`)."""

from os import environ as told
from uuid import uuid4

import grpc
from rossio.mail.v1.service_pb2 import SubmitRequest
from rossio.mail.v1.service_pb2_grpc import MailServiceStub

mail = MailServiceStub(grpc.insecure_channel(told["ROSSIO_MAIL"]))
identity = (("authorization", f"Bearer {told['ROSSIO_TOKEN']}"),)
content = f"From: {told['FROM']}\r\nTo: {told['TO']}\r\nSubject: From Python\r\n\r\nHello.\r\n".encode()
request = SubmitRequest(request_id=str(uuid4()), sender=told["FROM"], recipients=[told["TO"]], content=content)
print(mail.Submit(request, metadata=identity, timeout=30).message_id)
