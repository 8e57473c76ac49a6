"""Experiments of other projects as experiment files, and results in the form in which others write them."""
