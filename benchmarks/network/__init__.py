"""Benchmarks of real processes: throughput, rounds, a lossy link, and a long run."""
