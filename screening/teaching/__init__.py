"""Chosen cases as a labelled set in which nobody can be recognised, for teaching and training.

A film is read (`film.py`), and a new data set is built of what the list in `profile.py` names:
nothing else of the original is looked at. `pseudonyms.py` has the names that are given in place of
the real ones, `labels.py` what reviewers said, `export.py` the way of the cases into a folder and
`folder.py` what lies in it.
"""
