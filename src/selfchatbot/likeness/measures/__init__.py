"""The measures of likeness, one file each; `registry` lists them."""
