"""An evaluation: what is read, what the models generate and compute, and what is kept of it."""
