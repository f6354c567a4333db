"""Figures, players and offline pages: everything a reader sees. The only room that imports matplotlib.

- ``numbers``: numbers and lists as text
- ``figures``, ``explorer``, ``pages``: what is drawn, what is played with, what is read
- ``run``: the notebooks executed in order, and the pages made of them
"""
