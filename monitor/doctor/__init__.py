"""Checks of an installation: facts to diagnoses (pure), and the probes that gather the facts."""
