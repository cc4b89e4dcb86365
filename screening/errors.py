"""Every error of Nightread, in one tree.

The message of an error is what its reader acts on: it names what is wrong, where, and what to do
next. No message holds patient data: instances and studies are named by UID or row number.

::

    NightreadError
    ├── SettingsError            a setting is wrong: its name, its value, what is allowed
    ├── DependencyError          a server or a library is missing or does not answer
    ├── RecordsError             SQL refuses, or its schema is not the one this release needs
    ├── ArchiveError             bytes cannot be kept or found
    │   ├── OutOfSpaceError      the disk is full, or below its watermark
    │   └── ArchiveAwayError     the whole archive is not there at present
    ├── HeaderError              a data set cannot be understood well enough to be kept
    ├── PixelError               an image cannot become an array
    │   ├── NoPixelDataError     there are no pixels, or there is nothing in them
    │   └── DecodeError          this transfer syntax cannot be decoded here
    ├── BundleError              a model bundle is refused
    ├── TrainingError            a training set or a recipe cannot be used
    ├── AccountError             a user or a token cannot be made or changed
    ├── HoldError                a study cannot be put on hold or released
    ├── ClockError               the clocks of two hosts are too far apart for what counts days
    ├── IdentityError            patients cannot be merged, or a merge be undone
    ├── ExportError              cases cannot leave without who they are
    ├── RelayError               the hospital's audit repository does not take what is audited
    ├── ReviewError              a review cannot be recorded
    │   └── RevisedError         the verdict that was reviewed is not the one that stands
    ├── AppointmentError         a model cannot be made champion or shadow
    │   └── AppointmentChangedError  somebody else has appointed one meanwhile
    ├── QueryError               a PACS refused a query, or did not answer it
    │   └── TooMuchError         it has more than it answers at once
    ├── RetrieveError            a PACS did not bring what it was asked for
    └── SendError                a DICOM peer refused, or did not answer
        └── AssociationError     it let no association come about
"""

from __future__ import annotations


class NightreadError(Exception):
    """Anything that Nightread says to its user; the message says what to do next."""


class SettingsError(NightreadError):
    """A setting is wrong. The message names the setting, its value and what is allowed."""


class DependencyError(NightreadError):
    """A server or a library is missing or does not answer."""


class RecordsError(NightreadError):
    """SQL refuses, or its schema is not the one this release needs."""


class UnrecordableError(RecordsError):
    """SQL does not take these values: others may do better, and these never will."""


class DeadlockError(RecordsError):
    """Another transaction and ours waited for each other, and ours was given up: repeat it."""


class ArchiveError(NightreadError):
    """Bytes cannot be kept or found."""


class OutOfSpaceError(ArchiveError):
    """The disk is full, or below the free space that the settings ask for."""


class ArchiveAwayError(ArchiveError):
    """The whole archive is not there at present, as a share that is not mounted."""


class HeaderError(NightreadError):
    """A data set cannot be understood well enough to be kept."""


class PixelError(NightreadError):
    """An image cannot become an array."""


class NoPixelDataError(PixelError):
    """There is no Pixel Data, or there is nothing in it."""


class DecodeError(PixelError):
    """The pixels' transfer syntax cannot be decoded on this machine."""


class BundleError(NightreadError):
    """A model bundle is missing, altered, or asks for something that is not allowed."""


class TrainingError(NightreadError):
    """A training set or a recipe cannot be used."""


class AccountError(NightreadError):
    """A user or a token cannot be made or changed."""


class SignInError(NightreadError):
    """Somebody cannot be let in: what vouches for them does not hold."""


class IdentityError(NightreadError):
    """Two patients cannot be made one, or a changed identity be adopted or undone."""


class ExportError(NightreadError):
    """Cases cannot be exported without what names their patients."""


class RelayError(NightreadError):
    """The hospital's audit repository does not take what is audited here."""


class ReviewError(NightreadError):
    """A review cannot be recorded: what it names is not there, or it says too much."""


class ContradictionError(ReviewError):
    """An opinion and a finding cannot both be meant."""


class RevisedError(ReviewError):
    """The verdict that was reviewed is not the one that stands."""


class HoldError(NightreadError):
    """A study cannot be put on hold, or a hold cannot be released."""


class ClockError(NightreadError):
    """The clocks of two hosts are too far apart for what counts days."""


class PointsError(NightreadError):
    """Operating points cannot be set."""


class PointsChangedError(PointsError):
    """Somebody else has set them since they were looked at."""


class AppointmentError(NightreadError):
    """A model cannot be appointed: it is not known, not tried, or no other can come back."""


class AppointmentChangedError(AppointmentError):
    """Somebody else has appointed a model since the appointments were looked at."""


class DeliveryError(NightreadError):
    """Results cannot be sent to where somebody wants them."""


class SendError(NightreadError):
    """A DICOM peer refused an association or an instance, or did not answer."""


class QueryError(NightreadError):
    """A DICOM peer refused a query, or did not answer it."""


class TooMuchError(QueryError):
    """A DICOM peer says that there is more than it answers at once."""


class RetrieveError(NightreadError):
    """A DICOM peer did not bring what it was asked for."""


class BatchError(NightreadError):
    """A batch cannot be begun, or cannot become what somebody wants."""


class AssociationError(SendError):
    """A DICOM peer let no association come about.

    Parameters
    ----------
    message
        What is wrong and what to do, for somebody who sends.
    trouble
        What is wrong, as `pacs.peer.Trouble` names it, for who says it in other words.
    """

    def __init__(self, message: str, trouble: str) -> None:
        super().__init__(message)
        self.trouble = trouble
