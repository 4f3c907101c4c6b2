"""The statement advice asks."""
