"""What, beside a model, decides the last bits of a vector: onnxruntime, its device, the CPU."""

from embedcli.engine import processor
from embedcli.engine.session import VERSION


def kernels(device: str) -> str:
    """Return a name for the kernels that would run here: equal names, equal bits.

    onnxruntime chooses its matrix products by the instructions that the processor has.
    """
    return f"onnxruntime {VERSION}, {device}, {processor.features()}"
