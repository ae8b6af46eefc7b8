"""How much memory do the keys and values of a Llama-shaped model take, at which context length, with how many heads?

The cache is the model's own object, filled on the meta device: nothing is allocated. Run it with
`python examples/kv_cache.py`; it needs `pip install '.[hf]'`.
"""

from profiler import scan

MB = 1024 * 1024
CONTEXTS = (1024, 8192, 131072)
SHAPE = (
    "hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, num_attention_heads=32, vocab_size=128256, "
    "max_position_embeddings=131072"
)


def main() -> None:
    print(f"{'KV heads':>8}  {'Context':>8}  {'Cache MB':>10}  {'Attention':>9}  {'Memory MB':>10}")
    for heads in (32, 8):  # each query head with its own keys and values, or four that share them
        model = f"hf:LlamaConfig({SHAPE}, num_key_value_heads={heads})"
        lengths = scan(model, "seq", CONTEXTS, phase="both", dtype="bfloat16")
        for context, at in lengths.by_value.items():
            step = at.decode
            share = step.attention_macs / step.macs
            cache, memory = at.prefill.cache_bytes / MB, step.peak_memory_bytes / MB
            print(f"{heads:>8}  {context:>8,}  {cache:>10,.2f}  {share:>9.1%}  {memory:>10,.2f}")
        print(f"cache = {lengths.polynomials['prefill', 'cache_bytes'].written('context')} bytes")


if __name__ == "__main__":
    main()
