"""MongoDB: collections, indexes, optimistic writes with an outbox, leases."""
