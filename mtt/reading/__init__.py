"""Files as others made them: what they hold is measured, not believed, and nothing in them is run. In reading order:

containers  what the bytes of an audio file say, and which of it can be believed
decoding    audio files opened and decoded to their end
table       tables that anyone may have made, and what is wrong with one
torchfile   the tensors of a PyTorch checkpoint
tensorbundle  the tensors of a TensorFlow checkpoint
"""
