"""A keyring in a cluster: its key Secrets, and the SealingKeys that stand for them.

`ClusterKeyring` reads and writes the key Secrets, which takes rights on Secrets in the controller's
namespace. `decide` writes into the spec of a SealingKey what somebody decided, and that is all that
a decision is: the controller carries it out. No key is made here; that is for the controller too.
"""

from __future__ import annotations
