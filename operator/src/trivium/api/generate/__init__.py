"""Everything that is generated from the models: CRDs, the editors' JSON schema, the API reference.

Pure, except `__main__`, which writes the files or, with --check, compares them.
"""
