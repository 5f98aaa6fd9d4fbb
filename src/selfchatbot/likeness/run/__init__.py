"""One evaluation: what the models say, and what is kept of it."""
