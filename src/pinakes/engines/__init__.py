"""Engines: GalleryQuery in, Page out. All give the same answer; they differ in how fast."""
