"""Cryptography on bytes: scopes and bindings, primitives, keys and the native envelope."""
