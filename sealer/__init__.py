"""Seal secrets with a cluster's public key, bound to where they may be opened.

The library is pure below the shells: sealing, opening, key policy and manifests are functions of
values. Files, Git, clusters and terminals are met in `sealer.cli`, `sealer.git` and their like.
"""

__version__ = "0.1.0"
