"""How many rejections an ingest bears: a number of files or spectra, or a share of all of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from spectral_zarr.errors import UsageError


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Largest number (`count`) or share (`share`, 0 to 1) of rejections.

    >>> Tolerance.parse("2%").allows(rejected=2, total=100)
    True
    """

    count: int = 0
    share: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Tolerance:
        """Read ``5`` or ``2%``."""
        text = text.strip()
        try:
            if text.endswith("%"):
                share = float(text[:-1]) / 100
                if not 0 <= share <= 1:
                    raise ValueError
                return cls(share=share)
            count = int(text)
            if count < 0:
                raise ValueError
        except ValueError:
            raise UsageError(f"--max-rejected takes a number such as 5 or a share such as 2%, not '{text}'") from None
        return cls(count=count)

    def allows(self, *, rejected: int, total: int) -> bool:
        """Whether `rejected` of `total` is within the tolerance."""
        # 29 % of 100 is 28.999... in binary.
        return rejected <= max(self.count, math.floor(self.share * total + 1e-6))
