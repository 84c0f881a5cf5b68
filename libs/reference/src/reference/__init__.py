"""Makes docs/reference from what the contracts, topics.yaml and the metrics' declarations say."""
