"""What Nightread talks about: instances, reasons, predictions, verdicts.

Frozen dataclasses and enumerations on the standard library alone, so that every room can share
them and none of them can open a file or a connection.
"""
