"""HTTP load at a constant arrival rate, against a server that runs."""
