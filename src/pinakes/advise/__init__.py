"""Which tier do I need? What was measured, the rules over it, and what they recommend."""
