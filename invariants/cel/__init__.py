"""CEL: text to a checked, compiled expression; errors are values."""
