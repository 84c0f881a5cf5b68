"""The dashboards, a file each."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from monitoring.dashboards import entities, fleet, nothing_lost, objectives, security, service


def dashboards() -> dict[str, Dashboard]:
    """Every dashboard by the name of its file."""
    return {
        "entities": entities.dashboard(),
        "fleet": fleet.dashboard(),
        "nothing-lost": nothing_lost.dashboard(),
        "objectives": objectives.dashboard(),
        "security": security.dashboard(),
        "service": service.dashboard(),
    }
