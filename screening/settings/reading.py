"""Which model scores, which images, and how a worker goes about it."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings

from screening.domain.lane import LaneRule
from screening.domain.precision import Precision
from screening.settings.values import CONFIG, AETitles, OptionalPath


class ReadingSettings(BaseSettings):
    """The reading room: models, lanes, limits."""

    model_config = CONFIG

    model: str = Field(default="mobilenet_v2", min_length=1)
    """The classifier: the name of a bundle that ships, or a bundle's folder."""

    shadow_model: str = ""
    """A second classifier that scores beside the first: a bundle, as for the model. What it says is
    recorded and is behind no verdict. Empty: none. It costs its share of the scoring time."""

    models_dir: OptionalPath = None
    """Folder of further bundles, each in a folder of its own: with those that ship and the two
    above, what a worker can be appointed (docs/models.md). Empty: none."""

    abstain_unlike: bool = True
    """Whether an image that is unlike the model's training images is not scored, with that reason.
    Off: it is scored all the same, and its strangeness is recorded beside the score."""

    minimum_age_years: float = Field(default=2.0, ge=0, le=120)
    """Younger patients are not scored: growth plates look like fractures to a classifier that saw
    few infants. In years; 0 scores everyone. An unknown age is scored."""

    study_quiet_seconds: float = Field(default=30.0, ge=0, le=86400)
    """A study whose association stays open is announced to the workers after this long without a
    new image. A closed association announces at once."""

    overnight_ae_titles: AETitles = ()
    """AE titles whose images are backlog: they are read when nothing else waits. Separated by
    commas."""

    overnight_days: int = Field(default=2, ge=0, le=36500)
    """A study of so many days ago, or more, is backlog as well: a prior that is sent along must not
    stand before the patient who is waiting. 0: every study that has a date."""

    worker_processes: int = Field(default=0, ge=0, le=256)
    """Scoring processes of one worker. 0: one for each core, as far as the memory goes. Each holds
    the classifier and a process that reads images, about 1 GB together."""

    worker_threads: int = Field(default=0, ge=0, le=256)
    """Threads of one scoring process. 0: the machine's cores shared among the processes."""

    batch_images: int = Field(default=8, ge=1, le=256)
    """Images that are claimed together, of one study or of several: bounds memory."""

    precision: Precision = Precision.AUTO
    """How scores are computed: ``float32``; ``bfloat16``, where close calls are repeated in
    float32; or ``auto``, the second on processors that have instructions for it."""

    compile: bool = False
    """Whether the network is compiled when a worker starts, which needs a C++ compiler there."""

    read_seconds: float = Field(default=60.0, ge=1, le=3600)
    """How long one image may take to be decoded. Its process is ended then; the image is tried
    again, and listed as failed after its attempts."""

    read_gigabytes: float = Field(default=2.0, ge=0.25, le=1000)
    """How much memory one image may take to be decoded, in 10^9 bytes. 20 megapixels need 0.3."""

    lease_seconds: float = Field(default=30.0, ge=1, le=3600)
    """How long after a worker's last sign of life another takes up its images. It gives one every
    third of this while it is at work."""

    sweep_seconds: float = Field(default=5.0, ge=0.2, le=3600)
    """How often studies with waiting images are looked for, whatever Redis remembers."""

    maximum_attempts: int = Field(default=3, ge=1, le=100)
    """Attempts at an image before it is listed as failed, with its error."""

    @model_validator(mode="after")
    def _lease_outlives_sweep(self) -> Self:
        if self.lease_seconds < self.sweep_seconds:
            raise ValueError(
                "NIGHTREAD_LEASE_SECONDS must be at least NIGHTREAD_SWEEP_SECONDS: "
                f"{self.lease_seconds:g} is below {self.sweep_seconds:g}"
            )
        return self

    @property
    def lane_rule(self) -> LaneRule:
        """What belongs to the backlog."""
        return LaneRule(frozenset(self.overnight_ae_titles), self.overnight_days)
