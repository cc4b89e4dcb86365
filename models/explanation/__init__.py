"""Why a classifier said what it said, and whether that explanation can be believed.

``method`` makes a `Heatmap` of a radiograph in one of four ways: the network's own map of cells,
Grad-CAM, occlusion and LIME. ``faithfulness`` and ``pointing`` measure what such heatmaps are
worth; ``misclassified`` draws the classifier's worst errors with them. Heatmaps by cells and by
Grad-CAM need nothing beyond what the worker has; the rest needs the extra ``train``.
"""
