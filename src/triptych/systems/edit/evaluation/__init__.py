"""How good edits of avatars are, beside what else a photo and a prompt can become."""
