"""The bitmap index in PostgreSQL: generations, building, deltas, folding, checking."""
