"""The read model: its definition, dirty rows, the applier, epochs and refresh policies."""
