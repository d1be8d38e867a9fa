"""Sums of outer products: what a layer's matrix gets from all stages of a step, in one pass over the matrix.

Blocks of the result stay in registers while all products are added to them: every number that is loaded is used by as many
fused multiply-adds as the block is high or wide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridode.kernels.llvm.wide_values import Buffer, Lazy

if TYPE_CHECKING:
    from hybridode.kernels.llvm.wide import WideEmitter

MOST_PRODUCTS = 8  # in one pass
TALL = 4  # rows of a block, unless the matrix is narrow


def products(x: Lazy) -> list[tuple[Buffer, Buffer]]:
    """The (left, right) of every product of a sum."""
    assert x.op == "outer"
    return list(zip(x.operands[::2], x.operands[1::2], strict=True))


def merged(a: Lazy, b: Lazy) -> Lazy:
    """The sum of two sums of outer products."""
    return Lazy("outer", (*a.operands, *b.operands), a.shape, 1)


def add_products(e: WideEmitter, x: Lazy, out: Buffer, add: bool, mask: str | None = None) -> None:
    """out = x, or out += x (`add`), in the lanes of the mask only."""
    pairs = products(x)
    for k in range(0, len(pairs), MOST_PRODUCTS):
        _Pass(e, pairs[k : k + MOST_PRODUCTS], x.shape, out, add or k > 0, mask).write()


class _Pass:
    def __init__(
        self, e: WideEmitter, pairs: list[tuple[Buffer, Buffer]], shape: tuple[int, ...], out: Buffer, add: bool, mask: str | None
    ) -> None:
        self.e, self.w, self.pairs, self.out, self.add, self.mask = e, e.w, pairs, out, add, mask
        self.rows, self.columns = shape
        self.pieces = -(-self.columns // e.step)

    def write(self) -> None:
        """Blocks of rows; rising order, so that what the last chunk of a row holds beyond its end is written again later."""
        e, most = self.e, self.e.accumulators
        wide = min(self.pieces, most // min(self.rows, TALL))
        tall = min(self.rows, most // wide)
        whole = self.rows // tall
        e.repeat(whole, lambda k: self.band(self.times(k, tall), tall, wide))
        if self.rows % tall:
            self.band(str(whole * tall), self.rows % tall, wide)

    def band(self, i: str, tall: int, wide: int) -> None:
        """Rows i … i + tall - 1. A last chunk that is not full stands in a block of its own."""
        ragged = bool(self.columns % self.e.step)
        full = self.pieces - ragged
        self.e.repeat(full // wide, lambda k: self.block(i, self.times(k, wide), tall, wide))
        if full % wide:
            self.block(i, str(full // wide * wide), tall, full % wide)
        if ragged:
            self.block(i, str(full), tall, 1, self.columns % self.e.step)

    def times(self, k: str, n: int) -> str:
        return self.w.value(f"mul i64 {k}, {n}") if n > 1 and k != "0" else k

    def place(self, x: Buffer, at: str) -> str:
        """The address of an element."""
        return self.w.address(x.pointer, at, self.w.lanes.scalar if x.uniform else None)

    def block(self, i: str, piece: str, tall: int, wide: int, filled: int = 0) -> None:
        """`wide` chunks of `tall` rows from chunk `piece` on; `filled`: so many elements of the (one) chunk are the rows'."""
        e, w, c = self.e, self.w, self.e.chunk
        j = self.times(piece, e.step)
        corner = w.value(f"add i64 {w.value(f'mul i64 {i}, {self.columns}')}, {j}")
        lines = [self.place(self.out, w.value(f"add i64 {corner}, {r * self.columns}")) for r in range(tall)]
        at = [(r, s) for r in range(tall) for s in range(wide)]
        sums = {(r, s): self.chunk(lines[r], s) if self.add else None for r, s in at}
        for left, right in self.pairs:
            above, beside = self.place(left, i), self.place(right, j)
            rights = [self.single(right, beside, s) for s in range(wide)]
            lefts = [self.factor(left, above, r) for r in range(tall)]
            for r, s in at:
                product, before = c.mul(lefts[r], rights[s]), sums[r, s]
                sums[r, s] = product if before is None else c.add(product, before)
        old = {(r, s): self.chunk(lines[r], s) for r, s in at} if filled else {}
        for r, s in at:
            value = sums[r, s]
            assert value is not None
            if filled:
                value = w.value(f"select {c.lanes.mask} {self.first(filled)}, {c.lanes.real} {value}, {c.lanes.real} {old[r, s]}")
            elif self.mask is not None:
                value = w.select(self.mask, value, self.chunk(lines[r], s))
            c.store(value, lines[r], str(s), align=e.number)

    def first(self, n: int) -> str:
        """A mask of the first n elements of a chunk."""
        return "<" + ", ".join(f"i1 {str(k < n).lower()}" for k in range(self.e.step)) + ">"

    def chunk(self, line: str, s: int) -> str:
        return self.e.chunk.load(line, str(s), align=self.e.number)

    def single(self, right: Buffer, place: str, s: int) -> str:
        """Chunk s of a right factor from its place on."""
        e = self.e
        return self.splat(place, s) if right.uniform else e.chunk.load(place, str(s), align=e.number)

    def factor(self, left: Buffer, place: str, r: int) -> str:
        """Element r of a left factor from its place on, in the whole chunk."""
        e = self.e
        return self.splat(place, r) if left.uniform or e.step > 1 else e.chunk.load(place, str(r), align=e.number)

    def splat(self, place: str, k: int) -> str:
        return self.e.chunk.splat(self.w.load(place, str(k), self.w.lanes.scalar, self.e.number))
