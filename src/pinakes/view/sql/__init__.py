"""The read model's SQL: its definition, the applier's statements, building, looking at it."""
