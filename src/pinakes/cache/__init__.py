"""The result cache: finished answers in Redis and in the process, provably no older than the budget."""
