"""What a PyTorch model costs, layer by layer: parameters, FLOPs, megabytes and memory."""

from profiler.crosscheck import CrossCheck, cross_check
from profiler.differences import Diff, diff
from profiler.errors import CheckFailed, ProfileError
from profiler.largest import largest_batch
from profiler.llm.generating import generation
from profiler.ops import Cost, formula, free, product
from profiler.profiles import Profile
from profiler.profiling import compare, profile
from profiler.scans import Scan, scan
from profiler.versions import __version__

__all__ = [
    "CheckFailed",
    "Cost",
    "CrossCheck",
    "Diff",
    "Profile",
    "ProfileError",
    "Scan",
    "__version__",
    "compare",
    "cross_check",
    "diff",
    "formula",
    "free",
    "generation",
    "largest_batch",
    "product",
    "profile",
    "scan",
]
