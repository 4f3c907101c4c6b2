"""What a running installation measures about itself, minute by minute, and how to read it again."""
