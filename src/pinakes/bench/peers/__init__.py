"""Other ways to build the same gallery, each set up as its best friend would; for measurements only."""
