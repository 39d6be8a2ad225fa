"""The data plane of Trivium: one RunConfig in, one trained model out. Never imports `trivium` or kopf."""
