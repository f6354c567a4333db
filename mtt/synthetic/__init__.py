"""The embedded corpus: invented artists, their songs, and the sound of them."""
