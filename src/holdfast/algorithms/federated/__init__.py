"""Algorithms with a coordinator."""
