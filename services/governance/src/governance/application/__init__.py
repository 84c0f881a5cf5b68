"""The use cases, one a file; `ports.py` says what they need from outside."""
