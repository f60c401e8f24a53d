"""The work that a spec causes, counted before it is done."""

from __future__ import annotations

from cnndsl.graph.site import Site
from cnndsl.limits import Limits
from cnndsl.source import Span


class Work:
    """Counts the work of one elaboration. Beyond the limits, nothing more is done."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.steps = self.edges = self.parameters = 0

    def spend(self, span: Span, site: Site, edges: int = 0) -> None:
        """Counts a step, or a round of a loop, that takes so many ``edges``."""
        self.steps += 1
        self.edges += edges
        if self.steps > self.limits.steps:
            site.stop(f"the network unrolls to more than {self.limits.steps} steps", span, "steps")
        if self.edges > self.limits.edges:
            site.stop(f"the network unrolls to more than {self.limits.edges} edges", span, "edges")

    def spend_parameters(self, count: int, span: Span, site: Site) -> None:
        self.parameters += count
        if self.parameters > self.limits.parameters:
            site.stop(f"the network has more than {self.limits.parameters} parameters", span, "parameters")
