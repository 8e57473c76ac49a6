"""Where rounds run between real processes: who they are, what they say, and how they fail."""
