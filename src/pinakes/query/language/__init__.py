"""The language of the search box: text in, a condition and an order out, and back to canonical text. Pure."""
