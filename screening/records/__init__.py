"""The records: what SQL holds, and the only room that speaks it.

``engine`` opens the database, ``schema`` names its tables. Each other file is one thing that
happens to a record: an ``association`` opens and closes, an instance comes in (``intake``), its
study is announced (``outbox``), a worker claims it (``claims``), a score or a reason is written
and the study's verdict follows (``results``), and people ask (``cases``, ``dossier``, ``calls``,
``ledger``, ``entries``). Which model scores is an act of somebody (``promotion``).

Every function takes an open transaction, a `sqlalchemy.orm.Session` from `engine.Records.begin`,
and never commits: who opens the transaction says when it ends.
"""
