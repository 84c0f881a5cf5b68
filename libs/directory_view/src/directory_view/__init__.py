"""The compiled read-only view of the directory that every service holds."""
