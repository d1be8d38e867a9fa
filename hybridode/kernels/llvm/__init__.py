"""Tape → machine code: one emitter of LLVM IR text, in which each SIMD lane is a trajectory."""
