"""A board with 64 MB of flash and 256 MB of memory: which precision, which image size, how large a batch?

Run it with `python examples/what_fits.py`.
"""

from profiler import largest, profile, scan

MB = 1024 * 1024
MODEL, FLASH, MEMORY = "resnet34", 64 * MB, "256MB"


def main() -> None:
    found = profile(MODEL)
    for scheme in ("fp16", "int8"):
        stored = found.weights(scheme)
        fits = "fits" if stored.stored_bytes <= FLASH else "does not fit"
        print(f"{scheme}: {stored.stored_bytes:,} bytes, {stored.stored_bytes / MB:.2f} MB, {fits}")

    sizes = scan(MODEL, "size", (128, 224, 320))
    macs = sizes.polynomials["macs"]
    print(f"MACs = {macs.written('size')}")
    print(f"at 256, which was not scanned: {int(macs(256)):,}")

    most = largest(MODEL, "batch", MEMORY)
    print(f"batch: {most.value}, {most.left_bytes:,} bytes are left, and {most.value + 1} do not fit")


if __name__ == "__main__":
    main()
