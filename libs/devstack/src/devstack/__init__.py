"""An embedded broker and store, and the whole suite in one command."""
