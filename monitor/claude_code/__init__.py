"""The hooks of Claude Code at a gate: what its runtime reports, as asks and events of a session."""
