"""Deploy tool: builds template.yaml and brings a stage up, on AWS or on a local emulator.

`python -m deploy up` stores the connections secret (of a local stack), builds, deploys, migrates the database and
prints the API's URL.
"""
