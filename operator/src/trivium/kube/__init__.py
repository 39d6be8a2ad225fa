"""The only Kubernetes client code: the ports over `kubernetes.aio`, and a person's own access for the command line."""
