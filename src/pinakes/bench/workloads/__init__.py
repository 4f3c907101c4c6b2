"""Workload files."""
