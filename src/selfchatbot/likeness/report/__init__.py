"""The result of an evaluation, on the page and in the terminal."""
