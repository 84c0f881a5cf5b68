"""Content storage: streaming, hashing, encryption; local files and GridFS."""
