"""Which track belongs in which set: artist-level stratified splits."""
