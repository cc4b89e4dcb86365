"""Radiograph phantoms: pictures that look like films of limbs, and belong to nobody.

The way of a phantom: tubes of tissue (``tube.py``, ``tissue.py``) make a limb (``upper_limb.py``,
``lower_limb.py``, ``trunk.py``), which may be broken (``fracture.py``); a beam passes it and lead
letters (``attenuation.py``, ``lettering.py``, ``exposure.py``); ``radiograph.py`` puts these
together; ``film.py`` and ``study.py`` make data sets of the picture. ``samples.py`` writes the
demonstration set and ``load.py`` many small studies.

They exercise the way of an image. They measure no classifier.
"""
