"""The door: what a PACS talks to.

``access`` says who may come in and why somebody may not, ``listener`` opens the port and follows
each association, ``store`` keeps an instance and answers with a ``status``. A process is run by
``process``. Nothing here loads a classifier.
"""
