"""Tiny random models of model families, and what has to hold for each of them."""
