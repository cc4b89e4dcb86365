"""The audit of a labelled set, which says whether it is fit to learn from.

The way of a set: ``folder.py`` or ``table.py`` makes entries of it (``source.py`` chooses),
``film.py`` decodes each image once, ``signature.py`` and ``likeness.py`` find copies that were
resized, compressed, turned or mirrored, and ``findings.py`` puts it together: faults, copies,
conflicts (``conflict.py``), leaks between splits (``leak.py``), agreement with groups that the set
already names (``agreement.py``) and a split that does not leak (``proposal.py``). ``account.py``
says it in words; ``markdown.py``, ``page.py``, ``contact_sheet.py``, ``figures.py`` and
``report.py`` write it down.

Nothing here changes the set, and nothing needs torch.
"""
