"""What Nightread costs and gains, measured side by side with what one would use instead.

Each program of this folder answers one question and is called as
``python -m benchmarks.NAME [--quick] [--json]``: ``read`` (from a file to a network's input),
``receive`` (C-STORE), ``screen`` (from C-STORE to a verdict). Figures move between machines; what
counts are the ratios, whose two sides take turns in one run. What the programs share lies in
``apparatus``.
"""
