"""What a store of S3 answers when it does not do what it was asked, in our words.

https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html has the codes.
"""

from __future__ import annotations

from screening.domain.s3_address import S3Address
from screening.errors import ArchiveAwayError, ArchiveError, OutOfSpaceError

_FULL = {"QuotaExceeded", "InsufficientStorage", "XMinioStorageFull", "507"}
_CHANGED = {"BadDigest", "InvalidDigest", "IncompleteBody", "XAmzContentSHA256Mismatch"}
_NO_CREDENTIALS = {"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"}
# Of AWSErrors that blame who asks, those that come as 400.
_REFUSED = {"ExpiredToken", "InvalidToken", "AuthorizationHeaderMalformed", "ProfileNotFound"}


def is_missing(error: Exception) -> bool:
    """Say whether an error is that an object is not there; a HEAD does not tell of which kind."""
    return _code(error) in ("NoSuchKey", "404")


def explained(error: Exception, address: S3Address) -> ArchiveError:
    """Return what the sender, the log and the operator are told of an error.

    What concerns one image is an `ArchiveError`; all else is the archive being away: it is no fault
    of the image, which waits.
    """
    # The sender is told the first 64 characters: the reason comes first.
    code = _code(error)
    if code in _FULL:
        return OutOfSpaceError(f"the archive's store is full ({code}): make room in {address}")
    if code in _CHANGED:
        return ArchiveError(
            f"the bytes changed on their way ({code}), and were refused: send the image again; if "
            f"that comes again, look at what is between this host and {address}"
        )
    if code == "EntityTooLarge":
        return ArchiveError(f"the archive's store takes no file of this size ({code})")
    if code == "InvalidObjectState":
        return ArchiveError(
            f"the archive's store put it away ({code}): bring it back from its storage class, and "
            f"end the rule that moves what is in {address}"
        )
    return ArchiveAwayError(f"{_why_away(error, code, address)}. Images wait")


def _why_away(error: Exception, code: str, address: S3Address) -> str:
    if code in ("NoSuchBucket", "404"):
        return f"there is no bucket {address.bucket}: create it, or correct NIGHTREAD_ARCHIVE_URL"
    if code == "RequestTimeTooSkewed":
        return f"the archive's store refuses us ({code}): set this host's clock"
    if _status(error) in (401, 403) or code in _NO_CREDENTIALS | _REFUSED:
        return (
            f"the archive's store refuses our credentials ({code}): look at "
            "NIGHTREAD_ARCHIVE_CREDENTIALS_FILE or AWS's variables, at NIGHTREAD_ARCHIVE_REGION, "
            f"and at what they may do in {address}"
        )
    return (
        f"the archive's store does not answer ({code}): look at it, at the network, and at "
        f"NIGHTREAD_ARCHIVE_ENDPOINT ({address})"
    )


def _response(error: Exception) -> dict[str, dict[str, object]]:
    # s3fs raises an OSError of its own, whose cause is what the store said.
    found = getattr(error.__cause__, "response", None) or getattr(error, "response", None)
    return found if isinstance(found, dict) else {}


def _code(error: Exception) -> str:
    """Return the store's own code, or else the name of what happened."""
    code = _response(error).get("Error", {}).get("Code")
    return str(code) if code else type(error).__name__


def _status(error: Exception) -> object:
    return _response(error).get("ResponseMetadata", {}).get("HTTPStatusCode")
