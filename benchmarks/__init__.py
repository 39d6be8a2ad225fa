"""Side-by-side measurements with stated goals: `python -m benchmarks` (README.md beside this file)."""
