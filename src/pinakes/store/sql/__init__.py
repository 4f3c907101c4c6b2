"""Named queries, one file a subject."""
