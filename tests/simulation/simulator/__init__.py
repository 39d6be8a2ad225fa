"""A deterministic world for the operator: one seed, one history, no real time.

    script ──> history ──> world ──> loop, api_server, watches, connection, operators   the control plane under test
                             │  └──> kuberay, kueue, nodes, trainer, disk               what it controls
                             └─────> invariants                                          what must hold after each step

What runs is the real controller, work queue, store, reconcile, planning, render and leader election. What is modelled,
each in a file of its own, is what they talk to, after facts that were measured or read in KubeRay's and Kueue's source.
`python -m simulator` is the soak (`make soak`); tests import the package by the pythonpath of pyproject.toml.
"""
