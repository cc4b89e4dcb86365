"""What Nightread found, as DICOM objects in the study that it screened.

``screened`` is a study with what is known of it and its images' headers; ``report`` (SR),
``capture`` and ``summary`` (Secondary Capture), ``outline`` (GSPS) and ``key_images`` (KOS) make
one kind of object each, ``carried`` gives them the patient and the study as they came, and
``objects`` makes all that a destination wants.
"""
