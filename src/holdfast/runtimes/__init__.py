"""Where rounds run: everything in one process, or one row at a time to find a fault."""
