"""The published models of our field beside one another: what was claimed, and what is left."""
