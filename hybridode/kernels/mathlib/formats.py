"""The two floating-point formats as the numbers that bit manipulation needs."""

from __future__ import annotations

from dataclasses import dataclass

from hybridode.kernels.llvm.writer import Lanes


@dataclass(frozen=True)
class Format:
    """An IEEE 754 binary format: `mantissa` stored bits, `bits` in all, exponents up to `bias`."""

    dtype: str
    bits: int
    mantissa: int
    bias: int

    @property
    def round_shift(self) -> float:
        """1.5·2^mantissa: what is added to it and taken off again has been rounded to an integer."""
        return 1.5 * 2.0**self.mantissa

    @property
    def smallest_normal(self) -> float:
        return 2.0 ** (1 - self.bias)

    @property
    def infinity_bits(self) -> int:
        return (2 * self.bias + 1) << self.mantissa

    @property
    def one_bits(self) -> int:
        return self.bias << self.mantissa

    @property
    def mantissa_mask(self) -> int:
        return (1 << self.mantissa) - 1

    @property
    def sign_bit(self) -> int:
        return 1 << (self.bits - 1)


FLOAT64 = Format("float64", 64, 52, 1023)
FLOAT32 = Format("float32", 32, 23, 127)
FORMATS = {"float64": FLOAT64, "float32": FLOAT32}


def format_of(lanes: Lanes) -> Format:
    return FORMATS[lanes.dtype]
