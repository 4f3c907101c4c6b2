"""Term bitmaps: sets of documents as roaring bitmaps, and everything that is asked of them. Pure."""
