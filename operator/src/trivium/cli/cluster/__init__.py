"""The commands against a Kubernetes cluster, with the rights of the person who calls them."""
