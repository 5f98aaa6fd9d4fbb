"""Is it me? Four speakers answer the same test contexts; what they say is measured against what I really wrote."""
