"""For all tests."""

from hypothesis import settings

pytest_plugins = ["testcluster.fixtures"]

# The fast part runs all day, with other examples each time; `make test` asks for the usual hundred in the slow part.
settings.register_profile("quick", max_examples=50)
settings.load_profile("quick")
