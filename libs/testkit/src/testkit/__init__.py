"""The synthetic ministry, simulators and contract suites (development only)."""
