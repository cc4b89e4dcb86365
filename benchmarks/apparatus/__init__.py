"""What the benchmarks share: the report, the programs that they start, and what they send."""
