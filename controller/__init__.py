"""The operator: opens SealedSecrets into Secrets and SharedSecrets and keeps those true.

A pure core (`settings`, `status`, `targets`, `reconcile`) in two shells: a directory fed from a
Git work tree, and a Kubernetes cluster. Run it as `python -m controller`.
"""
