"""What is measured, a process each: `python -m benchmarks.sides.<name> TASK.json`."""
