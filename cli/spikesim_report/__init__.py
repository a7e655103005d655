"""Reports: what people look at, as one HTML file that needs nothing else."""
