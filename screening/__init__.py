"""What every room of Nightread agrees on: the ground floor.

The way of an image: a PACS sends it to ``dicom_listener/listener.py``; ``dicom_listener/store.py``
reads its header with ``dicom/header.py``, keeps its bytes with ``archive/archive.py``, commits its
row with ``records/intake.py``, and answers. When the association closes, ``queue/announcement.py``
sends the study's number to the workers. ``worker/pipeline.py`` claims its waiting images with
``records/claims.py``, reads their pixels with ``dicom/pixels.py``, has them scored by
``models/classifier.py``, and writes scores, reasons and the study's verdict with
``records/results.py``. ``records/cases.py`` lists the flagged cases, in the order of
``domain/triage.py``; a radiologist opens one at the desk and says what they think of it, which
``records/reviews.py`` keeps, and ``records/audit.py`` that they looked.
"""
