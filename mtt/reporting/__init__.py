"""Figures, players and offline pages: everything a reader sees. The only room that imports matplotlib."""
