"""The model: its shape from scratch, its weights, its adapter."""
