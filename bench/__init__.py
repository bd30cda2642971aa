"""Benchmarks: synthetic rows, a client, a brute-force answer, and the run that prints the comparison."""
