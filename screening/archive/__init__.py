"""The archive: received bytes in a folder or in a bucket of S3, exactly as they came.

``archive`` says what each kind promises, ``folder_archive`` and ``s3_archive`` are the two, and
``opening`` takes the one of the settings. A name is made of a digest and never of anything that a
sender chose.
"""
