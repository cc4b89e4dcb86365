"""The classifiers: networks, bundles, transforms, training, evaluation.

A *network* (``models.networks``) is code; a *bundle* (``models/bundles/NAME``) is its trained
weights with the metadata that says how to use them. :mod:`models.bundle` reads and checks a bundle
without torch; :mod:`models.classifier` turns one into something that scores radiographs; both
training and scoring see an image through the same :mod:`models.transforms`. A *recipe*
(:mod:`models.recipe`) is a file with every choice of a training, :mod:`models.training` follows it,
and :mod:`models.evaluation` says how good the outcome is. Importing this package imports nothing.
"""
