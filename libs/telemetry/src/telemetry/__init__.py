"""Traces, metrics, logs, health and audit records, started by one call."""
