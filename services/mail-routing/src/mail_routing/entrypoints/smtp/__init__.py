"""SMTP in: `grammar` reads commands, `session` is the pure protocol, `server` moves the bytes."""
