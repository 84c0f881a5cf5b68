"""The ministry's mail platform: SMTP in, resolution, delivery, retry, trace."""
