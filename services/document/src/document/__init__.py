"""Files, folders, versions and sharing."""
