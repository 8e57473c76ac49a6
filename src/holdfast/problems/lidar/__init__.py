"""Robots that measure a floor plan with lidar: the plan, the beams, the paths, and the samples they make."""
