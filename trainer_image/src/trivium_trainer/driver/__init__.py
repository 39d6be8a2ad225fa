"""The process around a recipe: one attempt from its first report to its last log line.

`launch` is the entry; here lie its parts: the files that outlive a process (durable, ledger), what a rank is given
(rank, rank_session, watchdog), what leaves the pod (client, reporter, ending), and Ray (train_stage, restart_policy).
"""
