"""One table of settings; the page and the flags are generated from it."""
