"""What runs in the background, beside the web processes."""
