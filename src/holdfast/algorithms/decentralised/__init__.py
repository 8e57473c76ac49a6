"""Algorithms among peers on a graph."""
