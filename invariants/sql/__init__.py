"""SQL statements: text to their effects."""
