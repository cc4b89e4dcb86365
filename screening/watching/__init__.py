"""What a process lets itself be watched by.

``counting`` has processes that belong together count together, ``figures`` are what they count,
``state`` is what stands in the records and on the disk, ``port`` answers a monitor.
"""
