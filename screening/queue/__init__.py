"""The queue: a message per study, by name and number, over Redis.

SQL is the truth and the message only rings the bell: Redis may lose every one of them. ``app``
makes the Celery application, ``announcement`` sends what the outbox holds and sends again what was
lost, ``embedded`` runs a private Redis where none is configured.
"""
