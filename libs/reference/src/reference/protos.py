"""The proto files with their comments, as Markdown: a page a package."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
)
from grpc_tools import protoc
from rossio.authz.v1 import authz_pb2
from rossio.event.v1 import event_pb2
from rossio.validate.v1 import validate_pb2

# Places in a FileDescriptorProto, which source locations are addressed by (descriptor.proto, SourceCodeInfo).
_MESSAGE, _ENUM, _SERVICE, _IN_SERVICE, _FIELD, _NESTED_MESSAGE, _NESTED_ENUM, _VALUE = 4, 5, 6, 2, 2, 3, 4, 2
_UNARY_SECONDS: Final = 10
Path_ = tuple[int, ...]


class Page:
    """The lines of one package's page."""

    def __init__(self, package: str) -> None:
        self.lines = [f"# {package}", ""]

    def add(self, *lines: str) -> None:
        self.lines += [*lines, ""]

    def text(self) -> str:
        return "\n".join(self.lines).rstrip() + "\n"


def pages(root: Path) -> Mapping[str, str]:
    """Markdown by package, for every package of services and of events below `root`."""
    made: dict[str, Page] = {}
    for file in _compiled(root):
        if file.package in {"rossio.authz.v1", "rossio.validate.v1", "rossio.event.v1"}:
            continue
        page = made.setdefault(file.package, Page(file.package))
        _file(page, file)
    return {package: page.text() for package, page in sorted(made.items())}


def _compiled(root: Path) -> Sequence[FileDescriptorProto]:
    """The files with their comments; services first, so that a page begins with what can be called."""
    protos = sorted(path.relative_to(root).as_posix() for path in (root / "rossio").rglob("*.proto"))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "set"
        include = (f"--proto_path={root}", f"--proto_path={files('grpc_tools') / '_proto'}")
        if protoc.main(["protoc", *include, "--include_source_info", f"--descriptor_set_out={out}", *protos]) != 0:
            raise RuntimeError("protoc failed; what it says stands above")
        compiled = FileDescriptorSet.FromString(out.read_bytes()).file
    return sorted(compiled, key=lambda file: (file.package, not file.service, file.name))


def _file(page: Page, file: FileDescriptorProto) -> None:
    comments = {
        tuple(at.path): " ".join(at.leading_comments.split()) or " ".join(at.trailing_comments.split())
        for at in file.source_code_info.location
    }
    for number, service in enumerate(file.service):
        page.add(f"## {service.name}", *_said(comments.get((_SERVICE, number))))
        rows = [
            _method(method, comments.get((_SERVICE, number, _IN_SERVICE, place), ""))
            for place, method in enumerate(service.method)
        ]
        page.add(*_table(("method", "request", "response", "who", "deadline", "what it does"), rows))
    page.add(f"## {file.name.rpartition('/')[2]}")
    for number, message in enumerate(file.message_type):
        _message(page, message, message.name, (_MESSAGE, number), comments)
    for number, enum in enumerate(file.enum_type):
        _enum(page, enum, enum.name, (_ENUM, number), comments)


def _method(method: MethodDescriptorProto, comment: str) -> tuple[str, ...]:
    rule = method.options.Extensions[authz_pb2.rule]
    streams = method.client_streaming or method.server_streaming
    seconds = rule.deadline_ms / 1000 or (0 if streams else _UNARY_SECONDS)
    kinds = ", ".join(authz_pb2.Principal.Name(kind).removeprefix("PRINCIPAL_").lower() for kind in rule.allow)
    who = f"{kinds} with {' or '.join(rule.roles)}" if rule.roles else kinds
    return (
        f"`{method.name}`" + (" (writes)" if rule.writes else ""),
        ("stream " if method.client_streaming else "") + _short(method.input_type),
        ("stream " if method.server_streaming else "") + _short(method.output_type),
        who,
        f"{seconds:g} s" if seconds else "none",
        comment,
    )


def _message(page: Page, message: DescriptorProto, name: str, path: Path_, comments: Mapping[Path_, str]) -> None:
    event = message.options.HasExtension(event_pb2.event)
    page.add(f"### {name}", *_said(comments.get(path)), *(["*An event.*"] if event else []))
    maps = {nested.name: nested for nested in message.nested_type if nested.options.map_entry}
    rows = [
        _field(field, maps, message, comments.get((*path, _FIELD, place), ""))
        for place, field in enumerate(message.field)
    ]
    if rows:
        page.add(*_table(("field", "type", "must be", "what it is"), rows))
    for place, nested in enumerate(message.nested_type):
        if not nested.options.map_entry:
            _message(page, nested, f"{name}.{nested.name}", (*path, _NESTED_MESSAGE, place), comments)
    for place, enum in enumerate(message.enum_type):
        _enum(page, enum, f"{name}.{enum.name}", (*path, _NESTED_ENUM, place), comments)


def _field(
    field: FieldDescriptorProto, maps: Mapping[str, DescriptorProto], message: DescriptorProto, comment: str
) -> tuple[str, ...]:
    kind = _type(field)
    if (entry := maps.get(field.type_name.rpartition(".")[2])) is not None:
        kind = f"map of {_type(entry.field[0])} to {_type(entry.field[1])}"
    elif field.label == FieldDescriptorProto.LABEL_REPEATED:
        kind = f"repeated {kind}"
    one_of = (
        "" if field.proto3_optional or not field.HasField("oneof_index") else message.oneof_decl[field.oneof_index].name
    )
    rule = field.options.Extensions[validate_pb2.field]
    said = [
        *(["set"] if rule.required else []),
        *([f"at most {rule.max_len:,}"] if rule.max_len else []),
        *([validate_pb2.Format.Name(rule.format).removeprefix("FORMAT_").lower()] if rule.format else []),
        *([f"one of `{one_of}`"] if one_of else []),
    ]
    return f"`{field.name}`", kind, ", ".join(said), comment


def _enum(page: Page, enum: EnumDescriptorProto, name: str, path: Path_, comments: Mapping[Path_, str]) -> None:
    page.add(f"### {name}", *_said(comments.get(path)))
    rows = [(f"`{value.name}`", comments.get((*path, _VALUE, place), "")) for place, value in enumerate(enum.value)]
    page.add(*_table(("value", "what it is"), rows))


def _type(field: FieldDescriptorProto) -> str:
    if field.type_name:
        return _short(field.type_name)
    return FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()


def _short(name: str) -> str:
    """A type's name without its package."""
    parts = name.lstrip(".").split(".")
    return ".".join(part for part in parts if part[0].isupper())


def _said(comment: str | None) -> Iterator[str]:
    if comment:
        yield ""
        yield comment


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(str(cell).replace('|', '&#124;') for cell in row)} |"
