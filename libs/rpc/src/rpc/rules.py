"""The rule of each method, as its proto option states it (rossio.authz.v1.rule)."""

from collections.abc import Iterator
from dataclasses import dataclass

from errors import NotAllowed
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from rossio.authz.v1 import authz_pb2

from rpc.identity import Caller

_KINDS = {
    authz_pb2.PRINCIPAL_PERSON: "person",
    authz_pb2.PRINCIPAL_CITIZEN: "citizen",
    authz_pb2.PRINCIPAL_SERVICE: "service",
}
UNARY_SECONDS = 10.0
"""The longest that a unary method runs when its rule does not say."""


def methods(service: str) -> Iterator[tuple[MethodDescriptor, authz_pb2.Rule | None]]:
    """Yields each method of a service with its rule, None where it carries none.

    Args:
        service: the full name, for example "rossio.mail.v1.MailService"; its module has been imported.

    Raises:
        LookupError: nobody knows the service.
    """
    try:
        described = descriptor_pool.Default().FindServiceByName(service)
    except KeyError:
        raise LookupError(f"no service is called {service}, or its module was not imported") from None
    for method in described.methods:
        options = method.GetOptions()
        yield method, options.Extensions[authz_pb2.rule] if options.HasExtension(authz_pb2.rule) else None


@dataclass(frozen=True, slots=True)
class Door:
    """A compiled rule."""

    kinds: frozenset[str]
    roles: frozenset[str]
    writes: bool
    seconds: float | None
    """The longest that the server works on a call; None: as long as the caller likes."""

    def admit(self, caller: Caller) -> None:
        """Lets the caller in.

        Raises:
            NotAllowed: reason PRINCIPAL for the wrong kind of caller, ROLE for a missing role.
        """
        if caller.kind not in self.kinds:
            raise NotAllowed(f"a {caller.kind} may not call this method", reason="PRINCIPAL")
        if self.roles and caller.kind != "service" and self.roles.isdisjoint(caller.roles):
            raise NotAllowed(f"this method asks for one of the roles {', '.join(sorted(self.roles))}", reason="ROLE")


@dataclass(frozen=True, slots=True)
class Method:
    """What the server has to know about one method, made from its descriptor."""

    name: str
    """"rossio.mail.v1.MailService/Submit"."""
    door: Door
    request: type[Message]
    client_streaming: bool
    server_streaming: bool
    request_id_path: str
    """Where the request_id of a method that writes is: "request_id", or in a header "header.request_id"."""

    @property
    def path(self) -> str:
        return "/" + self.name

    def request_id(self, message: Message) -> str:
        """Returns the request_id of a request, or of the first message of a stream; empty for none."""
        header, _, field = self.request_id_path.rpartition(".")
        found: str = getattr(getattr(message, header) if header else message, field)
        return found


def method(described: MethodDescriptor, rule: authz_pb2.Rule) -> Method:
    """Compiles a method and its rule; PRINCIPAL_UNSPECIFIED in `allow` lets nobody in.

    Raises:
        ValueError: the method writes, and its request has no place for a request_id.
    """
    streams = described.client_streaming or described.server_streaming
    return Method(
        name=f"{described.containing_service.full_name}/{described.name}",
        door=Door(
            kinds=frozenset(_KINDS[kind] for kind in rule.allow if kind in _KINDS),
            roles=frozenset(rule.roles),
            writes=rule.writes,
            seconds=rule.deadline_ms / 1000 if rule.deadline_ms else None if streams else UNARY_SECONDS,
        ),
        request=message_factory.GetMessageClass(described.input_type),
        client_streaming=described.client_streaming,
        server_streaming=described.server_streaming,
        request_id_path=_request_id_path(described) if rule.writes else "",
    )


def _request_id_path(described: MethodDescriptor) -> str:
    request = described.input_type
    if _has_request_id(request):
        return "request_id"
    if described.client_streaming:
        for field in request.fields:
            if field.message_type is not None and not field.is_repeated and _has_request_id(field.message_type):
                return f"{field.name}.request_id"
    raise ValueError(f"{described.full_name} writes, and {request.full_name} has no request_id")


def _has_request_id(message: Descriptor) -> bool:
    field = message.fields_by_name.get("request_id")
    return field is not None and field.type == FieldDescriptor.TYPE_STRING and not field.is_repeated
