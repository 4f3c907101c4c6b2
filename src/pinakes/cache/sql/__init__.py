"""The cache's SQL: what the publisher and the stamp of an answer read."""
