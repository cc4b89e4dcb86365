"""Ways from a file to a score, to hold ours against."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import safetensors.torch
import torch
from monai.transforms.intensity.array import ScaleIntensity
from monai.visualize.class_activation_maps import GradCAM
from torch import Tensor, nn

from benchmarks.read import NaiveReader
from models.bundle import Bundle
from models.classifier import Classifier, load_classifier
from models.networks.registry import build_network
from models.precision import has_bfloat16
from models.screener import Screener
from models.transforms import PreparedImage
from screening.dicom.data_set import open_data_set
from screening.dicom.frame import stored_words
from screening.dicom.image_pixel import IMAGE_PIXEL_TAGS, image_pixel
from worker.memory import keep_freed_memory
from worker.reading import SPARE

_barrier: threading.Barrier  # of the processes in which the floor is measured

_ONE_PROCESS = """
import pathlib, sys
from models.classifier import Classifier, load_classifier
from screening.dicom.pixels import read_pixels
classifier = load_classifier(sys.argv[1])
print(classifier.score([classifier.prepare(read_pixels(pathlib.Path(sys.argv[2])))])[0].probability)
"""


class _Logit(nn.Module):
    """A network of ours as MONAI's GradCAM takes it: one tensor of logits comes out."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images).image[:, None]
        return logits


class NaivePipeline:
    """The usual way: pydicom's tables in float64, MONAI's transforms, eager network, GradCAM.

    It reads as many orientations as ours, one image at a time in float32, and draws a Grad-CAM of
    each image, as such programs do. It records nothing.
    """

    def __init__(self, bundle: Bundle) -> None:
        network = build_network(bundle.target, bundle.arguments)
        network.load_state_dict(safetensors.torch.load(bundle.read_weights()))
        self._model = _Logit(network.eval())
        given = bundle.settings.input
        self._reader, self._size = NaiveReader(given.size), given.size
        self._scale = ScaleIntensity(minv=-1.0, maxv=1.0)
        self._orientations = given.orientations
        attended = network.attended
        names = {id(module): name for name, module in self._model.named_modules()}
        self._cam = GradCAM(self._model, target_layers=names[id(attended)])

    def __call__(self, path: Path) -> float:
        """Return the logit of one file."""
        image = torch.as_tensor(self._scale(self._reader(path))).float()
        height, width = image.shape[-2:]
        square = torch.full((1, 1, self._size, self._size), -1.0)
        square[0, :, :height, :width] = image
        with torch.no_grad():
            views = [square, square.flip(-1)][: self._orientations]
            logits = [float(self._model(view)) for view in views]
        self._cam(square, class_idx=0)
        return sum(logits) / len(logits)


class Floor:
    """What cannot be left out: the file's frame decoded, and the bare forward passes.

    Parameters
    ----------
    classifier
        Whose network it is, as torch runs it, in the orientations that are read.
    quick
        Whether in bfloat16.
    """

    def __init__(self, classifier: Classifier, quick: bool) -> None:
        self._network = classifier.network
        self._quick = quick
        given = classifier.input
        self._batch = torch.zeros(1, 1, given.size, given.size)
        self._orientations = given.orientations
        self._least_side = round(SPARE * given.size)

    def decode(self, path: Path) -> None:
        """Decode the frame, as small as ours does; of a native one, touch every word."""
        with open_data_set(path, frozenset(IMAGE_PIXEL_TAGS)) as found:
            words, _ = stored_words(found, image_pixel(found), self._least_side)
            words.max()

    def forward(self) -> None:
        """Run the network in every orientation that is read."""
        autocast = torch.autocast("cpu", torch.bfloat16, enabled=self._quick)
        with torch.inference_mode(), autocast:
            for _ in range(self._orientations):
                self._network(self._batch)

    def __call__(self, path: Path) -> None:
        """Do both for one file."""
        self.decode(path)
        self.forward()


def floor_rate(reference: str, path: Path, seconds_each: float) -> float:
    """Return how many images a second the floor reaches, with a process on every core at once.

    Cores share caches and memory: all of them together do less than each of them alone.
    """
    cores = sorted(os.sched_getaffinity(0))
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(len(cores))
    with ProcessPoolExecutor(
        len(cores), mp_context=spawn, initializer=_share, initargs=(barrier,)
    ) as pool:
        jobs = [pool.submit(_floor_of, reference, path, core, seconds_each) for core in cores]
        return sum(job.result() for job in jobs)


def _share(barrier: threading.Barrier) -> None:
    global _barrier
    _barrier = barrier


def _floor_of(reference: str, path: Path, core: int, seconds_each: float) -> float:
    os.sched_setaffinity(0, {core})
    torch.set_num_threads(1)
    keep_freed_memory()
    classifier = load_classifier(reference)
    floor = Floor(classifier, has_bfloat16(torch.device("cpu")))
    floor(path)
    _barrier.wait()
    began, images = time.perf_counter(), 0
    while (taken := time.perf_counter() - began) < seconds_each:
        floor(path)
        images += 1
    return images / taken


def one_process(reference: str | Path, path: Path) -> None:
    """Score one file in a process of its own, as scripts named predict.py do."""
    command = [sys.executable, "-P", "-c", _ONE_PROCESS, str(reference), str(path)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def seconds(way: Callable[[Path], object], paths: Sequence[Path]) -> float:
    """Return how long a way takes for some files, one after the other."""
    began = time.perf_counter()
    for path in paths:
        way(path)
    return time.perf_counter() - began


def milliseconds_of_stages(screener: Screener, path: Path, repeats: int) -> dict[str, list[float]]:
    """Return what each stage of our way takes for one file, by name."""
    from models.explanation.anatomy import outside_share
    from screening.dicom.pixels import read_pixels
    from screening.dicom.quality import measure_quality

    floor = Floor(screener.classifier, screener.quick)
    side = round(SPARE * screener.classifier.input.size)
    found: dict[str, list[float]] = {}

    def clock(name: str, began: float) -> float:
        now = time.perf_counter()
        found.setdefault(name, []).append((now - began) * 1e3)
        return now

    for _ in range(repeats + 1):
        now = time.perf_counter()
        floor.decode(path)
        now = clock("decode", now)
        pixels = read_pixels(path, side)
        now = clock("decode and display", now)
        measure_quality(pixels)
        now = clock("quality", now)
        prepared: PreparedImage = screener.classifier.prepare(pixels)
        now = clock("prepare", now)
        (opinion,) = screener.score([prepared])
        now = clock("score", now)
        if opinion.heatmap is not None:
            outside_share(opinion.heatmap, prepared)
            opinion.heatmap.png()
        clock("heatmap", now)
    return {name: values[1:] for name, values in found.items()}
