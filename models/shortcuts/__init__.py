"""What a classifier may have learnt instead of fractures, and how far it leans on it."""
