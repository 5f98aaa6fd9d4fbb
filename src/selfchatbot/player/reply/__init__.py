"""From generated tokens to a reply: where it ends, whether it repeats itself, which candidate is best."""
