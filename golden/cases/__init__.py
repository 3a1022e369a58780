"""One module for each fixture file; `generate.py` runs them."""
