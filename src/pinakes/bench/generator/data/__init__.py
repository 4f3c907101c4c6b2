"""Word lists and themes of the generator, as TOML."""
