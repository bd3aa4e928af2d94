"""Pictures of an invariant: Mermaid, DOT, SVG."""
