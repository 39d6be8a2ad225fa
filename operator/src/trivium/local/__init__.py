"""The embedded cluster: the ports of `kube/` over an in-memory API server and a Ray on this machine."""
