"""What int8 costs one node, as the report shows it. Imports nothing: whoever writes a report needn't quantize."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NodeError:
    """Squared error of a node's output by int8, as a share of the output's own squares; ``reverted`` if the candidate leaves the node out of int8."""

    relative_squared_error: float
    reverted: bool
