"""The benchmarks' SQL."""
