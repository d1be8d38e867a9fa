"""`hybridode cache`: machine code kept on disk."""

from __future__ import annotations

from hybridode.commands.output import Output


def cache(clear: bool, output: Output) -> None:
    """Says where the compiled models lie and how large they are, or deletes them."""
    from hybridode import store

    folder = store.folder()
    deleted = store.clear() if clear else 0
    count, size = store.size()
    output.data({"folder": None if folder is None else str(folder), "files": count, "bytes": size, "deleted": deleted})
    if folder is None:
        output.result(f"switched off: {store.VARIABLE} is `off`")
    elif clear:
        output.result(f"{folder}: {deleted} files deleted")
    else:
        output.result(f"{folder}: {count} files, {size / 1e6:.1f} MB")
