"""SMS over SMPP 3.4: protocol data units, a session with a window, and the provider on top of it."""
