"""Environment variables of the libraries below us, for every process of a run."""

# Facts of Ray Train 2.60 and the Hugging Face libraries, measured. The pod template sets them; a run by hand gets them
# from the driver, never over what is set already.
LIBRARY_SETTINGS = {
    # The controller polls the ranks this often: it is the delay with which an end or a death is noticed.
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.25",
    # Else every line of a rank is printed twice.
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
    # No terminal codes in logs that Kubernetes keeps.
    "RAY_COLOR_PREFIX": "0",
    # Repeated lines are information: two ranks that say the same are two ranks.
    "RAY_DEDUP_LOGS": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    # Ray 2.60 warns that it will stop hiding GPUs from processes that asked for none; the new behavior suits us.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Hub kernels are binaries fetched at run time.
    "USE_HUB_KERNELS": "0",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
