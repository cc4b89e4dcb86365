"""The desk: the list of cases as a radiologist or a machine reads it.

``table``, ``study_sheet`` and ``file_table`` are for a terminal, ``spreadsheet`` is CSV,
``objects`` is JSON. For whoever looks after the door there are ``call_list``, ``ledger_sheet`` and
``entry_lines``. And ``plain_text`` keeps what a sender wrote from acting on any of them.
"""
