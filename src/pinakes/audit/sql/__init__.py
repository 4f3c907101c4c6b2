"""SQL of the check of a whole installation."""
