"""Prepared data as training reads it: a memory-mapped store, an order computed on demand, and batches."""
