"""Evidence outside the monitor: the ends of the hash chains, exported to a bucket with a lock."""
