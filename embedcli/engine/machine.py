"""What, beside a model, decides the last bits of a vector: onnxruntime, its device, the CPU."""

import hashlib
import platform
from pathlib import Path

from embedcli.engine.session import VERSION

_CPUINFO = Path("/proc/cpuinfo")


def kernels(device: str) -> str:
    """Return a name for the kernels that would run here: equal names, equal bits.

    onnxruntime chooses its matrix products by the instructions that the processor has.
    """
    return f"onnxruntime {VERSION}, {device}, {platform.machine()}, {_instructions()}"


def _instructions() -> str:
    """Return a hash of the first processor's flags; what the system says of it elsewhere."""
    try:
        lines = _CPUINFO.read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return hashlib.blake2b(flags.encode(), digest_size=8).hexdigest()
