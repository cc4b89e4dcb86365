"""How good a classifier is on a labelled set, with the uncertainty of each figure.

The way of a measurement: ``assessment.py`` reads the set (`models.dataset`), ``scoring.py`` sends
its images through the classifier, ``leakage.py`` looks for images that it knows from training, and
``figures.py`` puts together what ``ranking.py``, ``point.py``, ``reliability.py``,
``pointing_game.py`` and ``subgroup.py`` measure, with intervals from ``resampling.py``. ``cost.py``
counts; ``account.py`` says it in words, ``charts.py`` draws, ``report.py`` writes it down.
"""

from models.evaluation.assessment import Assessment, Measured, assess, evaluate
from models.evaluation.estimate import Estimate
from models.evaluation.figures import Figures, measure
from models.evaluation.point import PointFigures
from models.evaluation.reliability import calibration_error
from models.evaluation.scoring import select

__all__ = [
    "Assessment",
    "Estimate",
    "Figures",
    "Measured",
    "PointFigures",
    "assess",
    "calibration_error",
    "evaluate",
    "measure",
    "select",
]
