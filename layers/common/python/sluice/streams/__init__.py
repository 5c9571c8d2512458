"""The queue between ingest and storage: Redis Streams, one per shard."""
