"""Posts, audiences and acknowledgement."""
