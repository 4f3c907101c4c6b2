"""The language: gallery queries, formulas over terms, their canonical form, cursors and the oracle. Pure."""
