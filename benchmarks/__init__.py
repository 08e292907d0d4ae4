"""Benchmarks: `python -m benchmarks.<name> --json` prints JSON lines."""
