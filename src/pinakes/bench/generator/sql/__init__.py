"""SQL of the generator's fill, by name."""
