"""Decisions, pure: from a job, what is observed of it and the time to what its status says and what should exist."""
