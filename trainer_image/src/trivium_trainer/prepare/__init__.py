"""Stage `prepare`: from sources to memory-mapped sequences, once per job, on CPU. `run.run_prepare` is the entry."""
