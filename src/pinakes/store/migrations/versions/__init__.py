"""One module a revision, named by number and topic."""
