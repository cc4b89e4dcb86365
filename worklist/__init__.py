"""The desk: the list of cases as a radiologist or a machine reads it.

For a browser: ``serve`` is the process, ``app`` puts it together, ``visitor`` says who asks and
what they may do, ``pages`` and ``api`` answer; ``frames`` decodes images in processes of their own,
and ``static/viewer.js`` shows them with every bit.

``table``, ``study_sheet`` and ``file_table`` are for a terminal, ``spreadsheet`` is CSV,
``objects`` is JSON. For whoever looks after the door there are ``call_list``, ``ledger_sheet`` and
``entry_lines``. And ``plain_text`` keeps what a sender wrote from acting on any of them.
"""
