"""A gate: asked before each call, over HTTP, and told of everything else."""
