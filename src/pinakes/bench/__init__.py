"""Generated galleries by a stated law, and measurements."""
