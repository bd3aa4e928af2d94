"""Values of expressions, also of text that is known only in part."""
