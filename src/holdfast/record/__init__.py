"""What a run leaves behind: metrics, events, plots, a report, a checkpoint."""
