"""In-app, e-mail and SMS notifications, and paperless prescriptions."""
