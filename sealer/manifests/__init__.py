"""Manifests: text to nodes and back without collateral damage, models, validation."""
