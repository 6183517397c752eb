"""Programs compiled for machines that are not here: what they would need, and what bounds them."""
