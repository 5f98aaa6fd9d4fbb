"""From generated tokens to a reply: where it ends, whether it loops, which candidate is best."""
