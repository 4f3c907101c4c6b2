"""Statements of the bitmap index."""
