"""Every metric of the suite, with a sentence each, and every label with the shape of its values.

A metric that is not here does not exist: `telemetry.metrics` refuses later declarations. Use one as
`names.CONSUMED.bind(stream=..., group=..., outcome=...)` once, then `.inc()` per event.
"""

from typing import Final

from telemetry.metrics import INSTRUMENTS, Declarations

_WORD = r"[a-z][a-z0-9_.-]{0,63}"
_declared = Declarations(
    {
        "operation": _WORD,
        "outcome": r"[a-z_]{2,24}",
        "stream": _WORD,
        "group": _WORD,
        "event": r"[A-Za-z][A-Za-z0-9_.]{0,95}",
        "collection": r"[a-z][a-z0-9_.-]{0,47}",
        "reason": r"[A-Z][A-Z0-9_]{0,47}",
        "entity": r"[a-z][a-z0-9-]{0,15}",
        "partition": r"[0-9]{1,4}",
        "rpc_method": r"[A-Za-z][A-Za-z0-9_.]{0,95}/[A-Za-z]{1,48}",
        "rpc_status_code": r"[A-Z_]{2,24}",
        "lane": _WORD,
        "channel": _WORD,
        "provider": _WORD,
        "direction": r"in|out",
        "check": _WORD,
        "version": r"[0-9][A-Za-z0-9.+-]{0,31}",
    }
)
counter, gauge, histogram = _declared.counter, _declared.gauge, _declared.histogram
_BYTES: Final = tuple(float(4**power) for power in range(5, 15))
_AGES: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0)
_BATCH: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)

# telemetry
OPERATION = histogram(
    "rossio_operation_duration_seconds",
    "How long each named operation took, by how it ended.",
    ("operation", "outcome"),
)
BUILD = gauge("rossio_build_info", "Which version of the service runs here: always 1.", ("version",))
SPANS_EXPORTED = counter("rossio_telemetry_spans_exported_total", "Spans that the collector took.")
SPANS_DROPPED = counter(
    "rossio_telemetry_spans_dropped_total", "Spans that were given up: the queue was full or the collector refused."
)
SPANS_QUEUED = gauge("rossio_telemetry_spans_queued", "Spans that wait for the collector.")
SPANS_ROOM = gauge("rossio_telemetry_spans_room", "Spans that may wait for the collector before others are given up.")
READY = gauge("rossio_ready", "Whether a readiness check of the process holds: 1 or 0.", ("check",))

# rpc; the semantic conventions' names in Prometheus form
RPC_SERVER = histogram(
    "rpc_server_call_duration_seconds", "How long the server worked on calls.", ("rpc_method", "rpc_status_code")
)
RPC_CLIENT = histogram(
    "rpc_client_call_duration_seconds", "How long calls to other services took.", ("rpc_method", "rpc_status_code")
)
RPC_BY_ENTITY = counter(
    "rossio_rpc_calls_by_entity_total",
    'Calls by the entity of the caller ("none" for citizens, services and strangers) and by how they ended: ok, '
    "refused for the caller's sake, or fault of the server.",
    ("entity", "outcome"),
)
RPC_IN_FLIGHT = gauge("rossio_rpc_in_flight", "Calls that the server works on now.")

# messaging
PUBLISHED = counter("rossio_messaging_published_total", "Records that the broker has made durable.", ("stream",))
PUBLISH = histogram(
    "rossio_messaging_publish_duration_seconds", "How long a publish took until durable.", ("stream", "outcome")
)
CONSUMED = counter(
    "rossio_messaging_consumed_total", "Records settled, by how: done, dead, unknown.", ("stream", "group", "outcome")
)
RETRIED = counter(
    "rossio_messaging_retried_total",
    "Attempts that failed and will be repeated, by why.",
    ("stream", "group", "outcome"),
)
DEAD = counter("rossio_messaging_dead_letters_total", "Records put into dead letters.", ("stream", "group", "reason"))
UNBURIED = counter(
    "rossio_messaging_dead_letters_refused_total",
    "Dead letters that their topic did not take, so that the record waits.",
    ("stream", "group"),
)
REDRIVEN = counter("rossio_messaging_redriven_total", "Dead letters put back into their stream.", ("stream", "group"))
HANDLED = histogram(
    "rossio_messaging_handle_duration_seconds", "How long handlers took for a batch.", ("stream", "group", "outcome")
)
SETTLED_AGE = histogram(
    "rossio_messaging_settled_age_seconds",
    "How old the oldest record of a batch was when the batch was done.",
    ("stream", "group"),
    buckets=_AGES,
)
BATCH = histogram(
    "rossio_messaging_batch_records", "How many records a handler was given.", ("stream", "group"), buckets=_BATCH
)
LAG = gauge(
    "rossio_messaging_lag_records", "Records of a partition that are not settled.", ("stream", "group", "partition")
)
OLDEST = gauge("rossio_messaging_oldest_unsettled_seconds", "Age of the oldest record in hand.", ("stream", "group"))
WAITING = gauge("rossio_messaging_waiting_lanes", "Keys that wait for a dependency.", ("stream", "group"))
STOPPED = gauge(
    "rossio_messaging_stopped", "Whether the dead-letter ratio limit has stopped the line: 1 or 0.", ("stream", "group")
)
RELAYED = counter("rossio_outbox_relayed_total", "Facts that the relay has published.", ("collection",))
RELAY_LAG = histogram(
    "rossio_outbox_age_seconds", "Age of a fact when it was published.", ("collection",), buckets=_AGES
)
OUTBOX_OLDEST = gauge(
    "rossio_outbox_oldest_seconds",
    "How long the oldest fact waits to be published, as the relay that leads sees it; 0 for none.",
    ("collection",),
)
RELAY_LEADER = gauge(
    "rossio_outbox_leader", "Whether this process holds the lease of the relay: 1 or 0.", ("collection",)
)
FOLLOWED = counter("rossio_messaging_followed_total", "Records that followers have applied.", ("stream",))

# store
STORE = histogram(
    "rossio_store_duration_seconds", "How long the database took.", ("collection", "operation", "outcome")
)

# blobs
BLOB_BYTES = counter("rossio_blobs_bytes_total", "Bytes of content stored (in) and read (out).", ("direction",))
BLOB_MET = counter("rossio_blobs_met_total", "Contents that were there already and were not stored again.")
BLOB_COLLECTED = counter("rossio_blobs_collected_total", "Contents removed because nothing referred to them.")

# directory
DIRECTORY_VERSION = gauge("rossio_directory_view_version", "Changes that the local view of the directory has applied.")
DIRECTORY_PEOPLE = gauge("rossio_directory_view_people", "People in the local view of the directory.")
IMPORTED = counter("rossio_directory_imported_total", "Rows that imports have applied, by outcome.", ("outcome",))

# mail
MAIL_ACCEPTED = counter("rossio_mail_accepted_total", "Mails accepted durably.", ("lane", "channel"))
MAIL_BY_ENTITY = counter(
    "rossio_mail_accepted_by_entity_total",
    'Mails accepted, by the entity of the sender ("none" from outside).',
    ("entity",),
)
MAIL_RECIPIENTS = counter(
    "rossio_mail_recipients_total", "Recipients that accepted mails were resolved to, counted once.", ("lane",)
)
MAIL_REFUSED = counter("rossio_mail_refused_total", "Mails and recipients refused in the dialogue.", ("reason",))
MAIL_OUTCOME = counter(
    "rossio_mail_outcomes_total", "Final and deferred outcomes, one a recipient.", ("lane", "outcome")
)
MAIL_SIZE = histogram("rossio_mail_size_bytes", "Sizes of accepted mails.", buckets=_BYTES)
SMTP_SESSIONS = gauge("rossio_smtp_sessions", "SMTP sessions that are open.", ("direction",))

# document
DOCUMENT_BYTES = counter(
    "rossio_document_bytes_by_entity_total",
    "Bytes of file versions that an entity has come to hold (stored), and that it holds no longer (freed).",
    ("entity", "outcome"),
)
DOCUMENT_INDEXED = counter("rossio_document_indexed_total", "Files and folders put into the index, or put anew.")
DOCUMENT_EXTRACTED = counter(
    "rossio_document_extracted_total", "Contents out of which text was taken, by how it ended.", ("outcome",)
)
DOCUMENT_UNEXTRACTED = gauge(
    "rossio_document_unextracted", "Contents that this process knows of and whose text is not taken out yet."
)

# news
NEWS_PUBLISHED = counter("rossio_news_published_total", "Posts published.")
NEWS_ACKNOWLEDGED = counter("rossio_news_acknowledged_total", "Acknowledgements taken.")

# notification
NOTIFICATION_REQUESTED = counter("rossio_notification_requested_total", "Notifications decided on.", ("lane",))
NOTIFICATION_OUTCOME = counter(
    "rossio_notification_outcomes_total", "What became of notifications.", ("lane", "channel", "outcome")
)
NOTIFICATION_RECEIPTS = counter(
    "rossio_notification_receipts_total",
    "Receipts of providers, by what was done: taken, repeated, passing, early, unknown, forged, unreadable, refused.",
    ("channel", "outcome"),
)
PROVIDER = histogram(
    "rossio_notification_provider_duration_seconds", "How long providers took.", ("provider", "outcome")
)

# governance
AUDIT_CHAINED = counter("rossio_audit_chained_total", "Audit records put into a chain.")

_declared.close()
METRICS: Final = {instrument.name: instrument.about for instrument in INSTRUMENTS}
"""Name and sentence of every metric, for the reference and the dashboards' check."""
