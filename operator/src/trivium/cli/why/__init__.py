"""`why`: what keeps a job from running, found by walking the way that a job goes, and what to do about it."""
