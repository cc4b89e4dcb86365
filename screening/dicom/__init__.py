"""From a DICOM file to what the rest of Nightread works with.

``header`` reads what we know of an instance without its pixels, ``eligibility`` says from it
whether the image is one we screen, and ``pixels`` turns an image into an array as a radiologist
sees it.
Beneath them ``elements`` finds data elements, ``charset`` and ``values`` read what they hold.
"""
