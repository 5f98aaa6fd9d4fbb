"""The three console scripts: arguments in, screen out."""
