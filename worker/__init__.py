"""The reading room: a message names a study, its waiting images are scored and recorded.

``pipeline`` is the way of an image on one page, ``shadow`` a second classifier on which nothing
depends. ``tasks`` binds them to the queue, ``sweeper`` finds the studies that the queue forgot,
``process`` runs a worker from its settings to its last signal.
"""
