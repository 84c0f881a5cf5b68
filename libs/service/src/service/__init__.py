"""Settings, life cycle, roles and the admin port of a service."""
