"""Audit records of all services in verifiable hash chains."""
