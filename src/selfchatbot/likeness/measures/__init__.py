"""The measures of likeness, one file each."""
