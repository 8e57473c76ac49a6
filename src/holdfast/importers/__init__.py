"""Experiments of other projects, as experiment files."""
