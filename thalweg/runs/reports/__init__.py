"""Reports of runs: what a page shows of a run folder, of several, and of a training that failed."""
