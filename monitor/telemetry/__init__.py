"""Metrics, and pages over HTTP."""
