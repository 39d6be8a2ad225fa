"""The planner's memory model beside what was measured: `python -m benchmarks.memory` writes docs/planning-errors.md."""
