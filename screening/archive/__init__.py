"""The archive: received bytes on disk, exactly as they came.

``archive`` keeps a file under the digest of its content and opens it again. A path is made of a
digest and never of anything that a sender chose.
"""
