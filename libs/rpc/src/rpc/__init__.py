"""gRPC, both ends: who calls, what they may call, until when, with what, and how it fails.

A server::

    server = rpc.Server([(MailApi(...), add_MailServiceServicer_to_server, "rossio.mail.v1.MailService")],
                        rpc.Verifier(jwks, issuer, audience), address="0.0.0.0:7000")
    port = await server.start()

Its handlers ask `rpc.caller()`, `rpc.request_id()` and `rpc.derived_id(...)`, raise the errors of the
package `errors`, and leave everything else to the interceptor.
"""

from rpc.channel import channel, repeated, token_file
from rpc.failures import error_of, typed_errors
from rpc.identity import Caller, caller, derived_id, request_id, time_left
from rpc.pages import page_size, page_token, read_page_token
from rpc.rules import methods
from rpc.server import Server
from rpc.tls import Tls
from rpc.validation import invalid_fields, validate
from rpc.verifier import Cluster, Verifier

__all__ = [
    "Caller",
    "Cluster",
    "Server",
    "Tls",
    "Verifier",
    "caller",
    "channel",
    "derived_id",
    "error_of",
    "invalid_fields",
    "methods",
    "page_size",
    "page_token",
    "read_page_token",
    "repeated",
    "request_id",
    "time_left",
    "token_file",
    "typed_errors",
    "validate",
]
