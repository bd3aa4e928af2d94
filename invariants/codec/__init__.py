"""States as canonical, versioned bytes."""
