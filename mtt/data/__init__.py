"""Tracks and their sound, from files to batches, in reading order:

audio       reading and writing audio: mono float32 at one rate, whatever the file was
corpus      tracks, tags, labels and artists behind one interface
batches     random clips for training, evenly spaced ones for evaluation
augment     the effects that clips go through in training
"""
