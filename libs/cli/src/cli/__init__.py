"""The rossio command."""
