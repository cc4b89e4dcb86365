"""The console: one file per command, and what starts and watches the processes.

``console`` lists the commands. A command's file holds its options and imports the rest when it
runs, so that ``nightread --help`` answers at once. ``supervisor`` and ``child`` keep the processes
of ``nightread up`` alive; ``terminal`` is the only file that knows about screens and pipes.
"""
