"""The operator as a process: Kopf's watches, the Lease, probes, metrics and the progress endpoint, put together."""
