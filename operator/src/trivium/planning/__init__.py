"""Does it fit? Pure: from a job, a profile and what `prepare` inspected to a plan, or to a refusal with a way out."""
