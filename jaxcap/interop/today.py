"""What Transformers 5 calls tensors in memory, and so in files that torch.save wrote.

Its own files keep the names of old, in which the tables are written.
"""

Renames = tuple[tuple[str, str], ...]  # (regex, replacement)

MLP: Renames = ((r"mlp\.fc1\.", "intermediate.dense."), (r"mlp\.fc2\.", "output.dense."))


def attention(inner: str) -> Renames:
    """Of the attention in an encoder.

    Args:
      inner: what its files call the part that holds query, key and value.
    """
    parts = {"q": "query", "k": "key", "v": "value"}
    return (
        *((rf"attention\.{q}_proj\.", f"attention.{inner}.{query}.") for q, query in parts.items()),
        (r"attention\.o_proj\.", "attention.output.dense."),
    )
