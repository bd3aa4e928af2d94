"""Work on invariant files: loading, examples, mutation, packs, rewriting."""
