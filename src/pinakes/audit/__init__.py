"""The check of a whole installation: everything derived compared with what it is derived from."""
