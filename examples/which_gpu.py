"""Which GPU for this language model: what holds it, and how fast could each write at best?

Run it with `python examples/which_gpu.py`.
"""

from profiler import generate

# The shape of Llama 2 7B, with eight heads of keys and values.
MODEL, PROMPT, USERS, MOST = "hf:LlamaConfig(num_key_value_heads=8)", 2048, 8, 2
WANTED = 50  # tokens a second for each user, of which an engine reaches perhaps 60 %


def main() -> None:
    for weights in (None, "int4"):
        answer = generate(MODEL, seq=PROMPT, batch=USERS, dtype="float16", weights=weights, devices=MOST)
        servings = [serving for serving in answer.choices.servings if serving.device.kind == "gpu"]
        fast = [serving for serving in servings if serving.efficiency / serving.token.seconds >= WANTED]
        least = fast[0]
        print(
            f"{weights or 'float16'}: {least.needed.weights:,} bytes of weights each, {least.needed.cache:,} of cache"
        )
        print(f"{len(servings)} GPUs hold it, and {len(fast)} of them are fast enough")
        print(f"the one with the least memory: {least.plan.devices} x {least.device.title}")


if __name__ == "__main__":
    main()
