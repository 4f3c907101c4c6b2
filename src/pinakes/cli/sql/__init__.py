"""The few queries the command line asks itself."""
