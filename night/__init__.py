"""The night: what a PACS has is fetched, screened, compared with what it says, and reported.

::

    sources.py    which PACS, which studies, and in which hours: the file of sources
    schedule.py   which nights are to begin
    runner.py     takes the batches that are due one step further, until each is finished
    fetching.py   the studies that are due next, some at a time
    rescreening.py  what is in the archive, read by another model
    visit.py      one study: ask what the PACS has, fetch what is not here, compare
    folder.py     a folder of files as a batch
    morning.py    the report, by e-mail
    retention_rules.py    how long pixels are kept: the file of rules
    retention_outlook.py  what the rules would remove now, and what is held back
    retention_run.py      what they let go goes
    keeper.py     has them run at their hour, or while the disk is low
"""
