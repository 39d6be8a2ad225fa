"""The process around a recipe: one attempt from its first report to its last log line.

`launch` is the entry; here lie its parts: what outlives a process (ledger, attempt_clock), what a rank is given (rank,
rank_session, watchdog), what leaves the pod (chronicle, reporter, client, ending), and Ray (train_stage, ray_trainer,
restart_policy, elastic_policy). The rules themselves are pure: classify, blame, patience, stopwatch.
"""
