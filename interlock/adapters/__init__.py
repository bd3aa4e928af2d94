"""Adapters: one file for each framework, which asks and reports for agents that it runs.

No adapter is imported by anything else here. Each needs its framework, which the user has.
"""
