"""The control plane of Trivium: custom resources in, Ray clusters that train out. Never imports torch."""
