"""Published data sets, each in the layout it is published in: one module a data set, found by its ``DATA_SET``; nothing else lists them.

base           what the readers have in common: what a data set is, and how its files are read
gtzan          GTZAN: ten genres
jamendo        MTG-Jamendo: genre, instrument, mood/theme
magnatagatune  MagnaTagATune: 50 tags of a game with a purpose
msd            Million Song Dataset: CALS, and the conventional split
"""
