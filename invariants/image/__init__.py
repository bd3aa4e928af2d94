"""A program as flat, immutable, versioned data: what a kernel loads."""
