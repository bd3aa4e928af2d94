"""The past that an invariant keeps, one file for each operator; `table.py` lists them."""
