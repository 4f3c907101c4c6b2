"""The statements of the figures."""
