"""Neural networks: plain ``torch.nn`` modules, one architecture per file."""
