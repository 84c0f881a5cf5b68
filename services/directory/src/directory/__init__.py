"""Entities, domains, people, units and groups."""
