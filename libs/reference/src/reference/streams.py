"""The streams of topics.yaml, as Markdown; asyncapi.json holds the same for programs."""

from messaging.catalogue import EVERY_SERVICE, catalogue


def page() -> str:
    lines = [
        "# Streams",
        "",
        "Who says what to whom on Kafka, from `protos/topics.yaml`. Order holds per key. The same for programs:",
        "[asyncapi.json](asyncapi.json) (AsyncAPI 3.0).",
        "",
    ]
    for stream in catalogue().streams.values():
        kept = "the last record of a key" if stream.retention is None else f"{stream.retention.days} days"
        lines += [
            f"## {stream.name}",
            "",
            stream.about,
            "",
            f"- key: `{stream.key}`; {stream.partitions} partitions; kept: {kept}",
            f"- a record is at most {stream.max_message_bytes:,} bytes",
            f"- events: {', '.join(f'`{event}`' for event in sorted(stream.events))}",
            f"- from {'every service' if stream.producer == EVERY_SERVICE else stream.producer}",
            *([f"- settled by {', '.join(stream.consumers)}"] if stream.consumers else []),
            *([f"- followed by {', '.join(stream.followers)}"] if stream.followers else []),
            "",
        ]
    return "\n".join(lines).rstrip() + "\n"
