"""Tracks and their sound, from files to batches, in reading order:

containers  what the bytes of a file say, and which of it can be believed
decoding    files opened and decoded to their end
audio       reading and writing audio: mono float32 at one rate, whatever the file was
table       tables that anyone may have made, and what is wrong with one
corpus      tracks, tags, labels and artists behind one interface
batches     random clips for training, evenly spaced ones for evaluation
augment     the effects that clips go through in training
"""
