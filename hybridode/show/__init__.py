"""Every stage of the compiler as text."""

from hybridode.show.stages import STAGES, show

__all__ = ["STAGES", "show"]
