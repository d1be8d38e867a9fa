"""The handler that cuts one array of numbers into many."""

from __future__ import annotations

import hashlib

from hybridode.kernels.llvm.handler import ARGUMENTS, DATA, DIMENSIONS, RANK, RESULTS_AT, answer_text, word
from hybridode.kernels.llvm.parts import Module


def unpacking_module(api: tuple[int, int], number_bytes: int) -> Module:
    """`ptr {name}(frame)`: the bytes of the operand, in order, into all results."""
    text = f"""
define internal i64 @bytes(ptr %buffer) {{
entry:
{word("%buffer", RANK, "%rank", "i64")}
{word("%buffer", DIMENSIONS, "%dims")}
  br label %loop
loop:
  %k = phi i64 [ 0, %entry ], [ %next, %one ]
  %product = phi i64 [ {number_bytes}, %entry ], [ %more, %one ]
  %left = icmp slt i64 %k, %rank
  br i1 %left, label %one, label %done
one:
  %at = getelementptr i64, ptr %dims, i64 %k
  %d = load i64, ptr %at, align 8
  %more = mul i64 %product, %d
  %next = add i64 %k, 1
  br label %loop
done:
  ret i64 %product
}}
define ptr @NAME(ptr %frame) {{
entry:
{answer_text(api)}
work:
{word("%frame", RESULTS_AT - 2, "%count", "i64")}
{word("%frame", ARGUMENTS, "%arguments")}
{word("%frame", RESULTS_AT, "%results")}
{word("%arguments", 0, "%whole")}
{word("%whole", DATA, "%source")}
  br label %loop
loop:
  %k = phi i64 [ 0, %work ], [ %next, %copy ]
  %offset = phi i64 [ 0, %work ], [ %further, %copy ]
  %left = icmp slt i64 %k, %count
  br i1 %left, label %copy, label %done
copy:
  %place = getelementptr ptr, ptr %results, i64 %k
  %buffer = load ptr, ptr %place, align 8
  %size = call i64 @bytes(ptr %buffer)
{word("%buffer", DATA, "%target")}
  %from = getelementptr i8, ptr %source, i64 %offset
  call void @llvm.memcpy.p0.p0.i64(ptr %target, ptr %from, i64 %size, i1 false)
  %further = add i64 %offset, %size
  %next = add i64 %k, 1
  br label %loop
done:
  ret ptr null
}}
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
"""
    name = f"hode_unpack_{hashlib.sha256(text.encode()).hexdigest()[:20]}_xla"
    return Module(text.replace("@NAME", f"@{name}"), name, name)
