"""The Celery application: JSON, ids only, acknowledged when done."""

from __future__ import annotations

from celery import Celery
from kombu.entity import Queue

SCREEN_STUDY = "nightread.screen_study"
"""Name of a task: its argument is the number of a study's row."""

SCORE_CANARIES = "nightread.score_canaries"
"""Name of the other: its argument is the number of a round's row."""

QUEUE = "nightread"
"""Of stat studies."""

OVERNIGHT_QUEUE = "nightread.overnight"
"""Of the backlog: a worker looks here when the first is empty."""


def make_app(broker_url: str, *, lease_seconds: float = 30.0) -> Celery:
    """Make the application; nothing connects until a message is sent or a worker starts.

    Parameters
    ----------
    broker_url
        Of Redis: ``redis://``, ``rediss://`` or ``redis+socket://``.
    lease_seconds
        How long a worker may hold a batch. Redis gives a dead worker's message back a little later.
    """
    app = Celery("nightread", broker=broker_url, set_as_current=False)
    app.conf.update(
        task_default_queue=QUEUE,
        task_queues=[Queue(name) for name in (QUEUE, OVERNIGHT_QUEUE)],  # type: ignore[no-untyped-call]
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        # A message is done when its study is: a killed worker's message comes back.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        # A scoring process loads torch and the classifier before it says that it is alive; with
        # the default of 4 s a busy machine would kill it and start again, for ever.
        worker_proc_alive_timeout=300,
        broker_connection_retry_on_startup=True,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_transport_options={
            "visibility_timeout": lease_seconds * 2,
            # In the order above, and not in turns.
            "queue_order_strategy": "priority",
            # Kombu looks for unacknowledged messages every 10 intervals by default, about 100 s.
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            # A Redis that is gone is noticed within seconds: the listener keeps on receiving.
            "socket_timeout": 5,
            "socket_connect_timeout": 2,
        },
        task_publish_retry_policy={"max_retries": 0},
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
    )
    return app
