"""The gate over HTTP: who asks, in which order, within which bounds."""
