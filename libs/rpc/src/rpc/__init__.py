"""gRPC server and channels: one interceptor for identity, rules, deadlines, validation, errors, telemetry."""
