"""A real Kubernetes on this machine, without Docker, registry or internet: for the tests and for developers."""
