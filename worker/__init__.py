"""The reading room: a message names a study, its waiting images are scored and recorded.

``pipeline`` is the way of a ``batch`` on one page. ``readers`` start and end the process
``reader``, in which ``reading`` brings an image to the network's input; ``message`` is what they
say to each other. ``recorder`` writes what became of a batch, ``heartbeat`` prolongs leases,
``memory`` knows what there is, ``appointed`` which models are to score, ``shadow`` is a second
classifier on which nothing depends. ``tasks`` binds them to the queue, ``sweeper`` finds the
studies that the queue forgot, ``process`` runs a worker from its settings to its last signal.
"""
