"""Makes a "precompiled_charsmap" as SentencePiece has it: a double array of the strings and their replacements behind it."""
import struct


class _Array:
    def __init__(self):
        self.units = {0: 0}
        self.free = 1

    def place(self, at, keys):
        """keys: what is left of each string, with the place of its replacement, sorted"""
        labels = sorted({key[0] if key else 0 for key, _ in keys})
        while self.free in self.units:
            self.free += 1
        base = self.free
        while any(base ^ label in self.units for label in labels) or (at ^ base) >= 1 << 21:
            base += 1
        for label in labels:
            self.units[base ^ label] = label
        self.units[at] |= (at ^ base) << 10
        for label in labels:
            below = [(key[1:], value) for key, value in keys if key and key[0] == label]
            if label:
                self.place(base ^ label, below)
            else:
                self.units[at] |= 1 << 8
                self.units[base] = keys[0][1] | 1 << 31


def charsmap(changes):
    """changes: {string: replacement}"""
    array, blob, keys = _Array(), b"", []
    for text, replacement in sorted(changes.items(), key=lambda item: item[0].encode()):
        keys.append((text.encode(), len(blob)))
        blob += replacement.encode() + b"\0"
    array.place(0, keys)
    units = [array.units.get(i, 0) for i in range(max(array.units) + 256)]
    return struct.pack(f"<I{len(units)}I", 4 * len(units), *units) + blob
